"""The set holds the recordings, copies in other voices, and the teacher's layer; once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.encoder import prepare as encoder_set
from cstalk_bridge.models.training.encoder.prepare import SOUND_GENERATORS, no_speech
from cstalk_bridge.models.training.encoder.streams import FOLDER, EncoderCorpus
from cstalk_bridge.models.training.encoder.whisper import positions, read

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


SECONDS = 1.3


def voice(seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    times_s = np.arange(int(SECONDS * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    buzz = sum(np.sin(2 * np.pi * 130 * k * times_s) / k for k in range(1, 20))
    return (0.1 * buzz + random.normal(0, 0.01, len(times_s))).astype(np.float32)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.setattr(encoder_set, "NO_SPEECH_CLIPS", 12)
    audio = tmp_path / "kathleen/audio"
    audio.mkdir(parents=True)
    for number in range(2):
        soundfile.write(
            audio / f"k{number}.opus", voice(number), SAMPLE_RATE_HZ, format="OGG", subtype="OPUS"
        )
    (tmp_path / "kathleen/transcripts.json").write_text("{}", "utf-8")
    return {"kathleen": tmp_path / "kathleen"}


def test_a_row_is_the_teacher_s_layer_less_its_positions(
    folders: dict[str, Path], checkpoint: Path, tmp_path: Path
) -> None:
    encoder_set.prepare(folders, checkpoint, tmp_path, copies=1)
    train_set = EncoderCorpus(tmp_path, "train")
    teacher = read(checkpoint)
    spoken = [clip for clip in train_set.clips if clip.source == "kathleen"]
    assert {clip.copy for clip in spoken} == {0, 1}
    for clip in spoken:
        sound, layer = train_set.sound(clip), train_set.layer(clip)
        assert len(sound) == clip.rows * HOP_SAMPLES
        assert clip.rows == pytest.approx(SECONDS * 50 / clip.speed, abs=1)
        with torch.no_grad():
            encoded = teacher(torch.from_numpy(sound))[-1]
        wanted = (encoded - positions(len(encoded))).numpy()
        # The last rows depend on sound after the last whole hop.
        assert np.abs(layer - wanted)[:-3].max() < 0.1
        assert layer.std() > 0.3


def test_other_voices_are_other_voices_and_the_same_ones_again(
    folders: dict[str, Path], checkpoint: Path, tmp_path: Path
) -> None:
    for cache in ("a", "b"):
        encoder_set.prepare(folders, checkpoint, tmp_path / cache, copies=1)
    sets = [EncoderCorpus(tmp_path / cache, "train") for cache in ("a", "b")]
    assert sets[0].clips == sets[1].clips
    speeds = [clip.speed for clip in sets[0].clips if clip.copy == 1 and clip.source == "kathleen"]
    assert all(encoder_set.SPEEDS[0] <= speed <= encoder_set.SPEEDS[1] for speed in speeds)
    assert len(set(speeds)) == 2
    for clip in sets[0].clips:
        assert np.array_equal(sets[0].sound(clip), sets[1].sound(clip))


def test_what_is_there_is_made_once_and_half_a_part_is_made_again(
    folders: dict[str, Path], checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder_set.prepare(folders, checkpoint, tmp_path, copies=0)
    capsys.readouterr()
    encoder_set.prepare(folders, checkpoint, tmp_path, copies=0)
    assert capsys.readouterr().out == ""
    (tmp_path / FOLDER / "kathleen.0/clips.json").unlink()
    encoder_set.prepare(folders, checkpoint, tmp_path, copies=0)
    assert capsys.readouterr().out == "kathleen, copy 0: written\n"


def test_long_recordings_are_cut_and_keep_their_place(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_set, "PIECE_S", 0.7)
    pieces = [clip for clip, _ in encoder_set.pieces_of("kathleen", folders["kathleen"], 0)]
    assert [round(clip.offset_s, 3) for clip in pieces] == [0.0, 0.7, 0.0, 0.7]


def test_levels_are_those_of_speech() -> None:
    for gain in (0.01, 0.1, 1.0):
        sound = encoder_set.levelled(gain * voice(0))
        level = float(np.sqrt(np.square(sound).mean()))
        assert level == pytest.approx(encoder_set.LEVEL_RMS, rel=0.05)
    assert not encoder_set.levelled(np.zeros(1000, np.float32)).any()


@pytest.mark.parametrize("seed", range(12))
def test_sounds_that_are_no_speech_are_bounded_and_seeded(seed: int) -> None:
    sound = no_speech(20_000, np.random.default_rng(seed))
    assert sound.shape == (20_000,)
    assert np.abs(sound).max() < 1.0
    assert np.array_equal(sound, no_speech(20_000, np.random.default_rng(seed)))


def test_each_kind_of_sound_is_audible_but_silence() -> None:
    for make_sound in SOUND_GENERATORS:
        made = make_sound(32_000, np.random.default_rng(1))
        assert np.isfinite(made).all()
        assert (np.abs(made).max() > 0) == (make_sound.__name__ != "silence")


def test_the_command_writes_the_set_and_its_phones(
    folders: dict[str, Path], checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del folders
    arguments = [
        "prepare",
        "--data",
        tmp_path,
        "--cache",
        tmp_path / "cache",
        "--whisper",
        checkpoint,
    ]
    monkeypatch.setattr("sys.argv", [*map(str, arguments), "--copies", "0"])
    encoder_set.main()
    assert (tmp_path / "cache/phones.json").read_text("utf-8") == "{}"
    assert set(EncoderCorpus(tmp_path / "cache", "train").minutes()) == {"kathleen", "no_speech"}


def test_without_the_teacher_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["prepare", "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        encoder_set.main()
    assert ended.value.code == 2
    assert "name it with --whisper" in capsys.readouterr().err
