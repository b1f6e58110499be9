"""A weights file that does not fit says so; it never runs code and never loads by half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cstalk_bridge.models import load_generator
from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.onnx_engine import OnnxEngine
from cstalk_bridge.models.cstalk.torch_engine import TorchEngine
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.loading import (
    DEFAULT_PATH,
    LIGHT_PATH,
    choose_device,
    create_cpu_engine,
    has_nvidia_gpu,
    load_streaming_network,
    read_weights,
    save_network,
    weights_path,
)

if TYPE_CHECKING:
    from cstalk_bridge.models.cstalk.architecture import Description

CPU = torch.device("cpu")


def test_a_round_trip_keeps_every_weight(
    small_weights: Path, small_description: Description, tmp_path: Path
) -> None:
    network, description = load_streaming_network(small_weights, CPU)
    assert description == small_description
    save_network(tmp_path / "again.safetensors", network, description)
    again, _ = load_streaming_network(tmp_path / "again.safetensors", CPU)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def rewritten(source: Path, target: Path, **changes: Any) -> None:
    """Write the tensors of `source` under its own description with `changes`, or another format."""
    with safe_open(source, "pt") as file:
        metadata = dict(file.metadata())
    metadata["format"] = changes.pop("format", metadata["format"])
    described = json.loads(metadata["description"])
    described["architecture"] |= changes.pop("sizes", {})
    metadata["description"] = changes.pop("description", json.dumps(described | changes))
    save_file(load_file(source), target, metadata)


def test_light_names_the_light_weights_unless_a_file_has_that_name(tmp_path: Path) -> None:
    assert weights_path(None) == DEFAULT_PATH
    assert weights_path(Path("light")) == weights_path(tmp_path / "light") == LIGHT_PATH
    light, full = (read_weights(path)[0] for path in (LIGHT_PATH, DEFAULT_PATH))
    sizes = [sum(tensor.size for tensor in tensors.values()) for tensors in (light, full)]
    assert sizes[0] < 0.4 * sizes[1]
    own = tmp_path / "light"
    own.touch()
    assert weights_path(own) == own


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "another program's": ({"format": "pickle"}, "format pickle, expected"),
    "an older version's": ({"format": "cstalk-generator-0"}, "format cstalk-generator-0, expected"),
    "no description": ({"description": ""}, "description is damaged"),
    "no object": ({"description": "[1]"}, "description is damaged"),
    "sizes that are none": ({"architecture": [1]}, "description is damaged"),
    "an unknown size": ({"sizes": {"depth": 3}}, "description is damaged"),
    "an unknown network": ({"network": "unet"}, "description is damaged"),
    "no card": ({"card": 3}, "description is damaged"),
    "names off the board": ({"channels": ["nose"] * 81}, "other channels"),
    "channels in another order": ({"channels": AUDIO_DRIVEN[::-1]}, "other channels"),
    "fewer channels": ({"channels": AUDIO_DRIVEN[1:]}, "other channels"),
    "other emotions": ({"emotions": EMOTIONS[::-1]}, "other emotions"),
    "other rates": ({"rate_hz": 60, "sample_rate_hz": 8000}, "other sample rate, row rate"),
    "fewer look-aheads": ({"sizes": {"delays": 3}}, "other number of look-aheads"),
    "a width that fits no tensor": ({"sizes": {"width": 17}}, "do not fit"),
    "a width of gigabytes": ({"sizes": {"width": 10**9}}, "do not fit"),
    "a width that is no number": (
        {"sizes": {"width": "wide"}},
        "sizes that make no network",
    ),
    "a width that is no whole number": (
        {"sizes": {"width": 16.0}},
        "sizes that make no network .a size is no whole number",
    ),
    "look-aheads that are no whole number": (
        {"sizes": {"delays": 13.0}},
        "sizes that make no network",
    ),
    "a condition that is no number": (
        {"sizes": {"condition_width": "wide"}},
        "sizes that make no network",
    ),
    "a reach of days": ({"sizes": {"encoder_dilations": [1, 10**9]}}, "dilations or a window"),
    "a reach that is no number": ({"sizes": {"encoder_dilations": [1, "2"]}}, "dilations or a"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_weights_of_another_make_are_one_clear_error(
    small_weights: Path, tmp_path: Path, kind: str
) -> None:
    changes, message = CHANGES[kind]
    path = tmp_path / "bad.safetensors"
    rewritten(small_weights, path, **changes)
    with pytest.raises(WeightsError, match=rf"bad\.safetensors: .*{message}.*; .+"):
        load_generator(path, "cpu")


def test_nothing_changed_is_no_error(small_weights: Path, tmp_path: Path) -> None:
    rewritten(small_weights, tmp_path / "good.safetensors")
    assert load_generator(tmp_path / "good.safetensors", "cpu").rate_hz == 50


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_another_precision_make_their_faces_with_onnx_runtime(
    small_weights: Path, tmp_path: Path, kind: torch.dtype
) -> None:
    with safe_open(small_weights, "pt") as file:
        metadata = dict(file.metadata())
    path = tmp_path / "other.safetensors"
    rounded = {name: tensor.to(kind) for name, tensor in load_file(small_weights).items()}
    save_file(rounded, path, metadata)
    other, ours = load_generator(path, "cpu"), load_generator(small_weights, "cpu")
    assert (other.engine.notice, other.engine.name) == ("", ours.engine.name)
    noise = 0.1 * np.random.default_rng(1).standard_normal(9600).astype(np.float32)
    faces = [generator.generate(noise, 16_000) for generator in (other, ours)]
    assert np.abs(faces[0] - faces[1]).max() < 0.02


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    for name in ("x.safetensors", "x" * 5000, "a\0b"):
        with pytest.raises(WeightsError, match="no such weights file; name one"):
            load_generator(tmp_path / name, "cpu")
    with pytest.raises(WeightsError, match="no such weights file; name one"):
        load_generator(tmp_path, "cpu")


def test_values_that_are_not_finite_are_refused(small_weights: Path, tmp_path: Path) -> None:
    network, description = load_streaming_network(small_weights, CPU)
    network.get_parameter("head.bias").data[0] = float("nan")
    save_network(tmp_path / "bad.safetensors", network, description)
    with pytest.raises(WeightsError, match="not finite; fetch"):
        load_generator(tmp_path / "bad.safetensors", "cpu")


@settings(max_examples=40)
@given(kept=st.floats(0.0, 1.0, exclude_max=True))
def test_weights_cut_anywhere_are_refused(
    tmp_path_factory: pytest.TempPathFactory, small_weights: Path, kept: float
) -> None:
    whole = small_weights.read_bytes()
    path = tmp_path_factory.getbasetemp() / "cut.safetensors"
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: damaged or no safetensors file"):
        load_generator(path, "cpu")


@settings(max_examples=40)
@given(content=st.binary(max_size=200))
def test_what_is_no_weights_file_is_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"other\.safetensors: .+; "):
        load_generator(path, "cpu")


def test_tensors_of_another_shape_are_refused(small_weights: Path, tmp_path: Path) -> None:
    network, description = load_streaming_network(small_weights, CPU)
    network.head = torch.nn.Conv1d(16, 3, 1)
    save_network(tmp_path / "bad.safetensors", network, description)
    with pytest.raises(WeightsError, match="do not fit"):
        load_streaming_network(tmp_path / "bad.safetensors", CPU)


NOISE = 0.1 * np.random.default_rng(1).standard_normal(16_000).astype(np.float32)
HAS_GPU = any(Path("/dev").glob("nvidia[0-9]*"))

NO_TORCH = """
assert not [name for name in sys.modules if name.partition(".")[0] == "torch"], "torch came in"
"""


ROOT = Path(__file__).parents[2]


def run(source_text: str, *arguments: str, folder: Path = ROOT) -> str:
    """Run Python in a process of its own and return what it printed; it must end well."""
    source = f"import sys\n{textwrap.dedent(source_text)}"
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cpu_computes_with_onnx_runtime_and_reports_it(small_weights: Path) -> None:
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


@pytest.mark.parametrize(
    "missing", ["onnx", "onnxruntime", "cstalk_bridge.models.cstalk.onnx_engine"]
)
def test_without_onnx_runtime_torch_makes_the_same_faces_with_a_notice(
    small_weights: Path, tmp_path: Path, missing: str
) -> None:
    sound, made = tmp_path / "sound.npy", tmp_path / "face.npy"
    np.save(sound, NOISE)
    printed = run(
        """
        import numpy as np
        sys.modules[sys.argv[1]] = None  # so that its import fails
        from cstalk_bridge.models import load_generator
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
    name, notice = printed.splitlines()
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
    engine = create_cpu_engine({**tensors, "head.bias": np.zeros(81, dtype=np.int64)}, description)
    assert isinstance(engine, TorchEngine)
    assert "it refuses the network: " in engine.notice
    assert "\n" not in engine.notice, "a notice is one line"


def test_a_notebook_on_a_cpu_does_not_import_torch(tmp_path: Path) -> None:
    sound = tmp_path / "sound.npy"
    np.save(sound, NOISE)
    run(
        f"""
        import numpy as np
        from cstalk_bridge import models
        generator = models.load_generator(device="cpu")
        generator.generate(np.load(sys.argv[1]), 16_000, {{"happy": 0.7}})
        generator.stream(2).reset([1])
        {NO_TORCH.strip()}
        """,
        str(sound),
    )


@pytest.mark.skipif(HAS_GPU, reason="auto is the GPU")
def test_a_notebook_without_a_gpu_does_not_import_torch() -> None:
    run(f"from cstalk_bridge import models\nmodels.load_generator()\n{NO_TORCH.strip()}")


def test_a_bridge_that_runs_does_not_import_torch(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, NOISE, 16_000)
    run(
        f"""
        from cstalk_bridge.cli import main
        assert main(sys.argv[1:]) == 0
        {NO_TORCH.strip()}
        """,
        *("run", "--audio", str(sound), "--no-ui", "--link", "osc://127.0.0.1:9"),
        folder=tmp_path,
    )


def test_a_doctor_does_not_import_torch(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, NOISE, 16_000)
    printed = run(
        f"""
        from cstalk_bridge.cli import main
        assert main(sys.argv[1:]) in (0, 1)
        {NO_TORCH.strip()}
        """,
        *("doctor", "--audio", str(sound), "--plain", "--link", "osc://127.0.0.1:9"),
        folder=tmp_path,
    )
    assert "ONNX Runtime" in printed


def test_listening_does_not_import_torch() -> None:
    run(
        f"""
        from cstalk_bridge.cli import main
        assert main(sys.argv[1:]) == 2  # nothing was processed
        {NO_TORCH.strip()}
        """,
        *("listen", "--host", "127.0.0.1", "--port", "0", "--seconds", "0.2", "--plain"),
    )
