"""Names of curves files, and the subject which Unreal's importer takes from them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory, Keyframe
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.takes.file import (
    CURVES_SUFFIX,
    MAX_SLATE_BYTES,
    TakeName,
    is_found,
    load_take_file,
    one_part,
    save_take,
    subject_in,
    subject_stems,
    take_stem,
)
from cstalk_bridge.takes.sound import open_sound
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.takes.takes import made_take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("speech_1_CSTalk_cal", "speech_1_CSTalk"),
        ("speech_take_1_CSTalk_cal", "CSTalk"),
        ("20250228_MySlate_24_iPhone_cal", "iPhone"),
        ("20250228_MySlate_24_iPhone_raw", "iPhone"),
        ("20250228_MySlate_24_iPhone_neutral", "iPhone"),
        ("my_line_01_CSTalk_cal", "CSTalk"),
        ("my_line_01_1_CSTalk_cal", "1_CSTalk"),
        ("a_b_c_d_cal", "a_b_c_d"),
        ("Scene 4_3_Ada Lovelace_cal", "3_Ada_Lovelace"),
        ("12_take_3_Ada_L_cal", "Ada_L"),
        ("_cal", ""),
    ],
)
def test_names_follow_the_rule_of_the_importer(name: str, subject: str) -> None:
    assert subject_in(name) == subject


@pytest.mark.parametrize(
    ("slate", "number", "stem", "finds"),
    [
        ("speech", None, "speech_take_1_CSTalk", True),
        ("speech", 7, "speech_take_7_CSTalk", True),
        ("12", 7, "12_take_7_CSTalk", True),
        ("my_line_01", None, "my_line_01_CSTalk", True),
        ("my_line_01", 2, "my-line-01_take_2_CSTalk", True),
        ("scene 4 b", 2, "scene-4-b_take_2_CSTalk", True),
        ("act_scene", None, "act_scene_take_1_CSTalk", True),
        ("scene_12_line_03", None, "scene_12_line_03_take_1_CSTalk", False),
        ("hello_1", None, "hello_1_take_1_CSTalk", False),
        ("\udce9t\udce9", 1, "?t?_take_1_CSTalk", True),
    ],
)
def test_a_slate_is_kept_and_the_subject_found_where_both_are_possible(
    slate: str, number: int | None, stem: str, finds: bool
) -> None:
    assert take_stem(slate, number, "CSTalk") == stem
    assert is_found("CSTalk", stem) is finds


@given(st.text(min_size=1, max_size=400), st.integers(0, 2**31 - 1))
def test_a_take_with_a_number_is_always_found(slate: str, number: int) -> None:
    stem = take_stem(slate, number, "CSTalk")
    assert subject_in(f"{stem}_cal") == "CSTalk"
    assert len(stem.encode("utf-8", "replace")) <= MAX_SLATE_BYTES + len("_take_2147483647_CSTalk")


@given(st.text())
def test_one_part_has_no_separator(text: str) -> None:
    assert "_" not in one_part(text)
    assert subject_in(f"a_{one_part(text)}_7_Ada_cal") in ("Ada", "7_Ada")


UNSAFE = re.compile(r'[\x00-\x1f/\\:*?"<>|]|[. ]$')


def test_names_are_those_of_the_app() -> None:
    name = TakeName("MySlate", 24, "20250228")
    assert name.identifier == "20250228_MySlate_24"
    assert name.stem("iPhone") + CURVES_SUFFIX == "MySlate_take_24_iPhone_cal.csv"


@given(st.text(min_size=1, max_size=300), st.lists(st.text(max_size=300), min_size=1, max_size=4))
def test_names_are_safe_and_unique(slate: str, subjects: list[str]) -> None:
    name = TakeName(slate, 2**31 - 1, "20250228", 7)
    found = subject_stems(name, subjects)
    assert len({stem.lower() for stem in found}) == len(subjects)
    for text in (name.identifier, *found):
        assert not UNSAFE.search(text)
        assert len(text.encode()) < 200


@given(st.text(min_size=1, max_size=30), st.text("abcXYZ0189_-é ", min_size=1, max_size=20))
def test_unreal_finds_the_subject_in_the_name_of_its_curves(slate: str, subject: str) -> None:
    assume(not subject.endswith((" ", "_cal", "_raw", "_neutral", "_")))
    assume(not re.match(r"[_ ]", subject))
    for repeat in (0, 4):
        stem = TakeName(slate, 24, "20250228", repeat).stem(subject)
        assert subject_in(f"{stem}_cal") == subject.replace(" ", "_")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(0, 60),
    slate=st.text(max_size=40).filter(lambda text: text.isprintable()),
    rate=st.sampled_from(sorted(FRAME_RATES)),
    number=st.integers(1, 9999),
    start=st.integers(0, 5_184_000),
)
def test_save_and_load_round_trip(
    tmp_path: Path, rows: int, slate: str, rate: str, number: int, start: int
) -> None:
    emotions = EmotionTrajectory((Keyframe(at_s=0.5, emotion={"sad": 1.2}, over_s=0.1),))
    take = replace(
        made_take(rows, slate=slate, rate=rate), number=number, start=start, emotions=emotions
    )
    save_take(take, tmp_path / "a.take", overwrite=True)
    loaded = load_take_file(tmp_path / "a.take")
    assert (loaded.board == take.board).all()
    assert (loaded.head == take.head).all()
    for name in ("slate", "number", "rate", "start", "channels", "emotions", "provenance"):
        assert getattr(loaded, name) == getattr(take, name)
    if rows:
        assert loaded.sound is not None
        assert take.sound is not None
        assert loaded.sound.frames == take.sound.frames
        decoded = loaded.sound.read(0, loaded.sound.frames)
        assert np.abs(decoded - take.sound.read(0, take.sound.frames)).max() < 1e-4
    else:
        assert loaded.sound is None


def test_a_take_is_not_overwritten_by_default_and_no_partial_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.take"
    save_take(made_take(5), path)
    before = path.read_bytes()
    with pytest.raises(UserError, match="already exists"):
        save_take(made_take(9), path)
    oversized = replace(made_take(9), board=np.zeros((2**31, 0), np.float32), channels=())
    with pytest.raises(ValueError, match="rows"):
        save_take(oversized, path, overwrite=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.take"]


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written: No such file"):
        save_take(made_take(5), tmp_path / "none" / "a.take")


def rewritten(path: Path, change: Callable[[Any], object]) -> Path:
    """The take with its header changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(members["take.json"])
    change(header)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (members | {"take.json": json.dumps(header).encode()}).items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda h: h.update(version=2),
            "a take of version 2; this program reads version 1; update",
        ),
        (lambda h: h.update(version="x"), "a take of version 'x'"),
        (lambda h: h.update(rows=10**9), "rows"),
        (lambda h: h.update(rows=4), "board.npy has"),
        (lambda h: h.update(rate="61"), "rate"),
        (lambda h: h["channels"].reverse() or h["channels"].append("CTRL_X"), "channels"),
        (lambda h: h.pop("slate"), "slate: Field required"),
        (lambda h: h.update(emotions=[{"at_s": 0, "emotion": "glad"}]), "emotions"),
        (lambda h: h["making"].update(mouth_guard=float("nan")), "making"),
        (lambda h: h["making"].update(lookahead_ms=float("inf")), "making"),
        (lambda h: h["making"].update(seed=10**400), "making"),
        (lambda h: h.update(slate="\ud800"), "take.json"),
        (lambda h: h["making"].update({"\ud800": "\ud800"}), "take.json"),
        (lambda h: h.update(emotions=[{"at_s": float("nan"), "emotion": "sad"}]), "emotions"),
        (lambda h: h.update(start=10**4000), "start"),
        (lambda h: h.update(number=float("inf")), "number"),
    ],
)
def test_an_invalid_header_is_reported(
    tmp_path: Path, change: Callable[[Any], object], message: str
) -> None:
    path = tmp_path / "a.take"
    save_take(made_take(5), path)
    with pytest.raises(UserError, match=message):
        load_take_file(rewritten(path, change))


def test_a_compressed_take_is_refused_before_it_is_decompressed(tmp_path: Path) -> None:
    path = tmp_path / "a.take"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("take.json", b" " * 50_000_000)
    with pytest.raises(UserError, match="is compressed"):
        load_take_file(path)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.take")
    with pytest.raises(UserError, match="not a file"):
        load_take_file(tmp_path / "a.take")
    with pytest.raises(UserError, match="not a file"):
        open_sound(tmp_path / "a.take")


def with_member(path: Path, name: str, data: bytes) -> Path:
    """The take with one member replaced."""
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in (members | {name: data}).items():
            archive.writestr(member, content)
    return path


@pytest.mark.parametrize("text", [b"[" * 200_000, b'{"a":' * 200_000, b"9" * 5000, b"\xff\xfe"])
def test_an_unparsable_header_is_reported(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "a.take"
    save_take(made_take(5), path)
    with pytest.raises(UserError, match="is not a take, or is damaged"):
        load_take_file(with_member(path, "take.json", text))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keep=st.integers(0, 128),
    text=st.binary(max_size=40)
    | st.sampled_from([b"{'descr': '<f4', ", b"(" * 90, b"' '", b"{" * 60, b"\\", b"\x00"]),
)
def test_an_array_with_a_truncated_header_is_reported(
    tmp_path: Path, keep: int, text: bytes
) -> None:
    path = tmp_path / "a.take"
    save_take(made_take(5), path, overwrite=True)
    with zipfile.ZipFile(path) as archive:
        whole = archive.read("board.npy")
    head = (whole[:keep] + text)[:128].ljust(128, b" ")
    with contextlib.suppress(UserError):
        load_take_file(with_member(path, "board.npy", head + whole[128:]))
    with pytest.raises(UserError, match=r"board\.npy has"):
        load_take_file(with_member(path, "board.npy", whole[:keep]))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), data=st.binary(min_size=1, max_size=8))
def test_damage_is_reported_or_harmless(tmp_path: Path, place: float, data: bytes) -> None:
    path = tmp_path / "a.take"
    save_take(made_take(5, rate_hz=8000), path, overwrite=True)
    content = bytearray(path.read_bytes())
    at = int(place * (len(content) - len(data)))
    content[at : at + len(data)] = data
    path.write_bytes(content)
    with contextlib.suppress(UserError):
        take = load_take_file(path)
        assert np.isfinite(take.board).all()
        if take.sound:
            take.sound.read(0, take.sound.frames)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"PK\x03\x04" + bytes(100)])
def test_a_file_that_is_not_a_take_is_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.take"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is not a take"):
        load_take_file(path)
    with pytest.raises(UserError, match="no such file"):
        load_take_file(tmp_path / "none.take")


@pytest.mark.parametrize("rate_hz", [1, 4000, 655_350])
def test_sound_at_an_unusable_rate_is_reported(tmp_path: Path, rate_hz: int) -> None:
    path = tmp_path / "a.take"
    save_take(made_take(50), path)
    flac = io.BytesIO()
    soundfile.write(flac, np.zeros(400, dtype=np.int16), rate_hz, format="FLAC", subtype="PCM_16")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["sound.flac"] = flac.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match=f"its sample rate of {rate_hz} Hz is not within"):
        load_take_file(path)
