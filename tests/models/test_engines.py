"""Which engine makes faces, what it is called, and that torch stays away where it is not needed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from models import load_generator
from models.loading import choose_device, cpu_engine, has_nvidia_gpu
from models.onnx_engine import OnnxEngine
from models.torch_engine import TorchEngine
from models.weights_file import read_weights

NOISE = 0.1 * np.random.default_rng(1).standard_normal(16_000).astype(np.float32)
HAS_GPU = any(Path("/dev").glob("nvidia[0-9]*"))

NO_TORCH = """
assert not [name for name in sys.modules if name.partition(".")[0] == "torch"], "torch came in"
"""


ROOT = Path(__file__).parents[2]


def run(script: str, *words: str, folder: Path = ROOT) -> str:
    """Run Python in a process of its own and return what it printed; it must end well."""
    source = f"import sys\n{textwrap.dedent(script)}"
    done = subprocess.run(
        [sys.executable, "-c", source, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cpu_computes_with_onnx_runtime_and_says_so(small_weights: Path) -> None:
    generator = load_generator(small_weights, "cpu")
    assert isinstance(generator.engine, OnnxEngine)
    assert generator.engine.name.startswith("ONNX Runtime ")
    assert (generator.device, generator.engine.notice) == ("cpu", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="devices are files on Linux only")
def test_a_gpu_is_found_without_torch_where_there_is_one() -> None:
    assert has_nvidia_gpu() is HAS_GPU


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused() -> None:
    assert (choose_device("auto"), choose_device("cpu")) == ("cpu", "cpu")
    with pytest.raises(ValueError, match="has no CUDA GPU; use cpu or auto"):
        choose_device("cuda")


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime", "models.onnx_engine"])
def test_without_onnx_runtime_torch_makes_the_same_faces_and_the_user_is_told(
    small_weights: Path, tmp_path: Path, missing: str
) -> None:
    sound, made = tmp_path / "sound.npy", tmp_path / "face.npy"
    np.save(sound, NOISE)
    told = run(
        """
        import numpy as np
        sys.modules[sys.argv[1]] = None  # so that its import fails
        from models import load_generator
        generator = load_generator(sys.argv[2], "cpu")
        np.save(sys.argv[4], generator.generate(np.load(sys.argv[3]), 16_000, {"happy": 0.7}))
        stream = generator.stream(2)
        face = stream.step(
            np.zeros((2, 960), np.float32), np.zeros((2, 7), np.float32), np.zeros(2), [0, 1]
        )
        assert face.shape == (2, 3, 81)
        print(generator.engine.name)
        print(generator.engine.notice)
        """,
        missing,
        str(small_weights),
        str(sound),
        str(made),
    )
    name, notice = told.splitlines()
    assert name == f"torch {torch.__version__}"
    assert notice.startswith("ONNX Runtime is not used (")
    assert f"faces are made with {name}, which takes several times as long." in notice
    assert "Installing onnx and onnxruntime again may mend it." in notice
    ours = load_generator(small_weights, "cpu").generate(NOISE, 16_000, {"happy": 0.7})
    assert np.abs(np.load(made) - ours).max() < 1e-4


def test_weights_that_onnx_runtime_refuses_go_to_torch_with_its_reason(
    small_weights: Path,
) -> None:
    tensors, description = read_weights(small_weights)
    # A tensor of integers is none that ONNX Runtime could multiply floats with.
    engine = cpu_engine({**tensors, "head.bias": np.zeros(81, dtype=np.int64)}, description)
    assert isinstance(engine, TorchEngine)
    assert "it refuses the network: " in engine.notice
    assert "\n" not in engine.notice, "a notice is one line"


def test_a_notebook_on_a_cpu_does_not_import_torch(tmp_path: Path) -> None:
    sound = tmp_path / "sound.npy"
    np.save(sound, NOISE)
    run(
        f"""
        import numpy as np
        import models
        generator = models.load_generator(device="cpu")
        generator.generate(np.load(sys.argv[1]), 16_000, {{"happy": 0.7}})
        generator.stream(2).reset([1])
        {NO_TORCH.strip()}
        """,
        str(sound),
    )


@pytest.mark.skipif(HAS_GPU, reason="auto is the GPU")
def test_a_notebook_without_a_gpu_does_not_import_torch() -> None:
    run(f"import models\nmodels.load_generator()\n{NO_TORCH.strip()}")


def test_a_bridge_that_runs_does_not_import_torch(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, NOISE, 16_000)
    run(
        f"""
        from bridge.cli import main
        assert main(sys.argv[1:]) == 0
        {NO_TORCH.strip()}
        """,
        *("run", "--audio", str(sound), "--no-ui", "--link", "osc://127.0.0.1:9"),
        folder=tmp_path,
    )


def test_a_doctor_does_not_import_torch(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, NOISE, 16_000)
    told = run(
        f"""
        from bridge.cli import main
        assert main(sys.argv[1:]) in (0, 1)
        {NO_TORCH.strip()}
        """,
        *("doctor", "--audio", str(sound), "--plain", "--link", "osc://127.0.0.1:9"),
        folder=tmp_path,
    )
    assert "ONNX Runtime" in told


def test_listening_does_not_import_torch() -> None:
    run(
        f"""
        from bridge.cli import main
        assert main(sys.argv[1:]) == 2  # nothing was heard
        {NO_TORCH.strip()}
        """,
        *("listen", "--host", "127.0.0.1", "--port", "0", "--seconds", "0.2", "--plain"),
    )
