"""Probes find what features hold, and no more; features stay in step with the sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import soundfile
import torch

from cstalk_bridge.models.cstalk.architecture import Architecture, Description
from cstalk_bridge.models.encoder.network import Encoder, EncoderSizes
from cstalk_bridge.models.encoder.weights import EncoderDescription, save_encoder
from cstalk_bridge.models.evaluation import probes
from cstalk_bridge.models.evaluation import probes as command
from cstalk_bridge.models.evaluation import probes as kinds
from cstalk_bridge.models.evaluation.probes import Features, LipClip, PhoneClip, probe_figures
from cstalk_bridge.models.evaluation.recordings import Folders
from cstalk_bridge.models.features import RIGHT_HOPS
from cstalk_bridge.models.loading import build_network
from cstalk_bridge.models.phones import PHONE_INDEX
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.network import CSTalkNetwork

NAMES = ("SIL", "AA", "B", "S")
ROWS_EACH = 8


def spoken(seed: int) -> PhoneClip:
    """A clip whose loudness gives the phone."""
    random = np.random.default_rng(seed)
    names = [NAMES[i] for i in random.integers(0, len(NAMES), 12)]
    levels = np.repeat([NAMES.index(name) / 4 for name in names], ROWS_EACH * HOP_SAMPLES)
    step_s = ROWS_EACH * HOP_SAMPLES / SAMPLE_RATE_HZ
    phones = tuple((i * step_s, (i + 1) * step_s, name) for i, name in enumerate(names))
    return PhoneClip(str(seed), levels.astype(np.float32), phones)


def filmed(seed: int) -> LipClip:
    """A clip whose loudness is the lips' gap; the width is nobody's business."""
    random = np.random.default_rng(seed)
    gap = random.random(40).astype(np.float32)
    lips = np.stack((gap, random.random(40), gap), 1).astype(np.float32)
    return LipClip(str(seed), np.repeat(gap, HOP_SAMPLES), np.arange(40), lips)


def loudness(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    hops = sound.reshape(-1, HOP_SAMPLES).mean(1)
    return np.stack((hops, hops**2), 1).astype(np.float32)


def nothing(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = len(sound) // HOP_SAMPLES
    return np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "STEPS", 300)


@pytest.mark.usefixtures("_quick")
def test_what_features_hold_is_found_and_what_they_lack_is_not() -> None:
    clips = [spoken(seed) for seed in range(30)]
    seen = [filmed(seed) for seed in range(20)]
    found, missed = (
        probe_figures(
            Features("", 0, rows), clips[:20], clips[20:], clips[20:], seen[:10], seen[10:]
        )
        for rows in (loudness, nothing)
    )
    assert found.phones_actors == found.phones_voices > 0.97
    assert found.bilabials_actors > 0.97
    assert found.lips[0] > 0.95
    assert abs(found.lips[1]) < 0.2
    assert missed.phones_actors < 0.5
    assert missed.bilabials_actors < 0.3
    assert abs(missed.lips[0]) < 0.2


@pytest.mark.usefixtures("_quick")
def test_where_nobody_is_measured_no_figure_is_given() -> None:
    clips = [spoken(seed) for seed in range(4)]
    figures = probe_figures(Features("", 0, loudness), clips, [], clips, [], [])
    assert np.isnan(figures.phones_actors)
    assert np.isnan(figures.bilabials_actors)
    assert np.isnan(figures.lips).all()
    assert "nan" in command.line(Features("x", None, loudness), figures)


@pytest.mark.usefixtures("_quick")
def test_a_probe_is_the_same_each_time() -> None:
    random = np.random.default_rng(0)
    rows, classes = random.normal(size=(200, 3)).astype(np.float32), random.integers(0, 3, 200)
    first, again = (probes.classifier(rows, classes, 3)(rows) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.exp(first).sum(1) == pytest.approx(np.ones(200), abs=1e-4)


def small_encoder() -> Encoder:
    torch.manual_seed(1)
    network = Encoder(EncoderSizes(24, 2, 48, 3)).eval().requires_grad_(requires_grad=False)
    for layer in network.stack:
        layer.offset[:, 100:] += 0.5  # near hops count
    return network


def every_kind() -> list[Features]:
    small = Architecture(width=16, encoder_dilations=(1,), decoder_dilations=(1,))
    names = ("CTRL_C_jaw.ty",)
    torch.manual_seed(1)
    generator = build_network(Description(small, names, (), 16_000, 50, {})).eval()
    encoder = small_encoder()
    return [
        kinds.log_mel(),
        kinds.phone_head(cast("CSTalkNetwork", generator)),
        *(kinds.encoded("small", encoder, delay) for delay in range(len(RIGHT_HOPS))),
    ]


@pytest.mark.parametrize("kind", range(2 + len(RIGHT_HOPS)))
def test_features_have_a_row_a_hop_and_use_no_more_future_than_stated(kind: int) -> None:
    features = every_kind()[kind]
    sound = np.random.default_rng(1).normal(0, 0.1, 60 * HOP_SAMPLES + 100).astype(np.float32)
    rows = features.rows(sound)
    assert len(rows) == 60
    assert features.future_ms is not None
    row = 30
    hears_until = row * HOP_SAMPLES + (features.future_ms + 1) * SAMPLE_RATE_HZ // 1000
    for first, is_heard in ((hears_until, False), (hears_until - 2 * HOP_SAMPLES, True)):
        changed = sound.copy()
        changed[first:] = 0.9
        difference = np.abs(features.rows(changed)[row] - rows[row]).max()
        assert (difference > 1e-4) == is_heard


def test_lips_are_read_where_they_were_tracked(tmp_path: Path) -> None:
    for folder, is_timed in (("grid_s1", False), ("strangers", True)):
        (tmp_path / folder / "audio").mkdir(parents=True)
        sound = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE_HZ)
        path = tmp_path / folder / "audio/a.opus"
        soundfile.write(path, sound, SAMPLE_RATE_HZ, format="OGG", subtype="OPUS")
        lips = np.arange(25 * 9, dtype=np.float16).reshape(25, 9)
        lips[3] = np.nan
        curves: dict[str, Any] = {
            "a": np.zeros((25, 52)),
            "a__lips": lips,
            "names": np.array(["x"]),
        }
        curves["lips_names"] = np.array(
            [*probes.LIPS, "outer_height_0_17", *(f"other{i}" for i in range(5))]
        )
        if is_timed:
            curves["a__t"] = np.arange(25) / 25 + 0.1
        name = "curves.npz" if is_timed else "curves_unsmoothed.npz"
        np.savez(tmp_path / folder / name, **curves)
    folders = Folders(tmp_path, tmp_path)
    (man,) = probes.grid_lips(folders)
    assert list(man.rows[:4]) == [0, 2, 4, 8]
    assert man.lips[3].tolist() == [36.0, 37.0, 38.0]
    (stranger,) = probes.stranger_recordings(folders, 5)
    assert list(stranger.rows[:4]) == [5, 7, 9, 13]
    assert stranger.rows[-1] < 50


def test_missing_data_are_named_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "e.safetensors"
    encoder = small_encoder()
    save_encoder(path, encoder, EncoderDescription(encoder.sizes, {}))
    arguments = [
        "probes",
        "--encoder",
        str(path),
        "--data",
        str(tmp_path),
        "--cache",
        str(tmp_path),
    ]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert (
        "phones.json is missing; run cstalk_bridge.models.training.prepare"
        in capsys.readouterr().err
    )


def test_bilabials_are_those_of_the_phone_table() -> None:
    from cstalk_bridge.models.evaluation.probes import BILABIAL
    from cstalk_bridge.models.training.encoder.phones import EVENTS

    assert EVENTS["bilabial"] == BILABIAL
    assert set(BILABIAL) < set(PHONE_INDEX)
