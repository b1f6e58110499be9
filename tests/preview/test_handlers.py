"""The page's requests to a real server with the real network."""

from __future__ import annotations

import io
import json
import socket
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile

from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory
from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.emotions import EMOTIONS, MOUTH_GUARD
from cstalk_bridge.preview.recordings import MAX_UPLOAD_BYTES
from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.file import save_take
from cstalk_bridge.takes.generate import GenerationConfig, generate_take
from cstalk_bridge.takes.reader import load_take
from cstalk_bridge.takes.sound import open_sound
from cstalk_bridge.takes.take import Take, curves, still_head
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.preview.serving import Serving, voice, wav

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.cstalk.generator import Generator


SECONDS = 1.0


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "voice.wav"
    wav(path, voice(SECONDS))
    return path


@pytest.fixture(scope="module")
def take(serving: Serving, recorded: Path) -> Any:
    return serving.take_of(
        recorded.read_bytes(), 'Käthe\'s "voice".wav', emotion={"happy": 0.7}, lookahead_ms=120
    )


@pytest.fixture(scope="module")
def same_take(generator: Generator, recorded: Path) -> Take:
    settings = GenerationConfig(EmotionTrajectory.constant({"happy": 0.7}), 120)
    return generate_take(generator, open_sound(recorded), settings, slate='Käthe\'s "voice"')


def api(take: Any, rest: str = "") -> str:
    return f"/api/takes/{take['id']}{rest}"


def test_a_session_lists_its_content(serving: Serving) -> None:
    session = serving.ask("/api/session").document
    assert session["live"] is False
    assert session["emotions"] == list(EMOTIONS)
    lookahead = session["settings"]["lookahead_ms"]
    assert (lookahead["maximum"], lookahead["step"], lookahead["default"]) == (240, 20, 80)
    assert session["settings"]["mouth_guard"]["default"] == MOUTH_GUARD
    gaze = {"maximum": 2.0, "default": 1.0, "off": 0.0, "usual": 1.0, "step": 0.05}
    assert session["levels"]["gaze"].items() >= gaze.items()
    assert session["levels"]["mouth"]["off"] == 1.0
    assert session["limits"]["upload_bytes"] == MAX_UPLOAD_BYTES
    assert {"csv", "glb", "take"} <= {form["id"] for form in session["formats"]}
    maps = {rigmap["name"]: rigmap["curves"] for rigmap in session["rigmaps"]}
    assert {"livelinkface61", "metahuman", "vrm"} <= set(maps)
    table = load_table("livelinkface61").curves
    assert maps["livelinkface61"] == [
        {"name": curve.name, "region": curve.region, "side": curve.side} for curve in table
    ]
    assert session["heads"][-1]["url"] == "/heads/own.glb"


def test_a_take_reports_its_metadata(take: Any) -> None:
    assert take["state"] == "ready"
    assert take["progress"] == 1.0
    assert (take["rows"], take["rate_hz"], take["duration_s"]) == (50, 50.0, SECONDS)
    assert take["name"] == 'Käthe\'s "voice"_1'
    assert (take["emotion"], take["lookahead_ms"]) == ({"happy": 0.7}, 120)
    assert take["has_sound"]
    assert take["notice"] is None


@pytest.mark.parametrize("name", ["livelinkface61", "metahuman"])
def test_curves_are_those_of_the_rig_map(
    serving: Serving, take: Any, same_take: Take, name: str
) -> None:
    for _ in range(2):  # The second time they are cached.
        answer = serving.ask(api(take, f"/curves?rigmap={name}"))
        rows, count = int(answer.headers["x-rows"]), int(answer.headers["x-curves"])
        assert float(answer.headers["x-rate-hz"]) == 50.0
        values = np.frombuffer(answer.body, "<i2").reshape(rows, count) / 10_000
        expected = np.clip(curves(same_take, load_rigmap(name)), -3.2767, 3.2767)
        assert np.abs(values - expected).max() <= 0.5001e-4
    assert np.ptp(values) > 0.1


def test_emotions_change_the_face(serving: Serving, take: Any) -> None:
    other = serving.finished(serving.begin(take["recording"], emotion={"sad": 1.0})["id"])
    faces = [serving.ask(api(one, "/curves")).body for one in (take, other)]
    assert len(faces[0]) == len(faces[1])
    assert faces[0] != faces[1]


def test_the_sound_is_flac_and_supports_ranges(serving: Serving, take: Any) -> None:
    whole = serving.ask(api(take, "/sound"))
    assert whole.headers["content-type"] == "audio/flac"
    samples, rate_hz = soundfile.read(io.BytesIO(whole.body), dtype="float32")
    assert rate_hz == 16_000
    assert np.abs(samples - voice(SECONDS)).max() < 1e-4
    part = serving.ask(api(take, "/sound"), headers={"Range": "bytes=100-299"})
    assert part.status == 206
    assert part.body == whole.body[100:300]
    assert part.headers["content-range"] == f"bytes 100-299/{len(whole.body)}"
    assert serving.ask(api(take, "/sound"), headers={"Range": "bytes=9999999-"}).status == 416


def test_pictures_have_the_requested_size(serving: Serving, take: Any) -> None:
    segment = "start_s=0.1&end_s=0.9&columns=300"
    drawn = np.frombuffer(serving.ask(api(take, f"/waveform?{segment}")).body, np.int8)
    assert drawn.reshape(300, 2)[:, 0].min() < -20
    picture = serving.ask(api(take, f"/spectrogram?{segment}&bands=64"))
    assert np.frombuffer(picture.body, np.uint8).reshape(64, 300).max() > 150


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("start_s=0&end_s=1&columns=4097", "4097 is not within 1..4096"),
        ("start_s=0&end_s=1&columns=1.5", "a whole number"),
        ("start_s=0&end_s=1", "columns | a number is needed"),
        ("start_s=nan&end_s=1&columns=5", "start_s | a number is needed, found 'nan'"),
        ("start_s=0&end_s=1e300&columns=5", "a number is needed"),
        ("start_s=1&end_s=0&columns=5", "not a range"),
    ],
)
def test_an_invalid_segment_is_reported(
    serving: Serving, take: Any, query: str, message: str
) -> None:
    answer = serving.ask(api(take, f"/waveform?{query}"))
    assert answer.status == 400
    assert message in answer.problems
    assert serving.ask(api(take, f"/spectrogram?{query}&bands=500")).status == 400


def test_an_export_is_a_file_with_a_safe_name(
    serving: Serving, take: Any, tmp_path: Path, same_take: Take
) -> None:
    answer = serving.ask(api(take, "/export?format=take"))
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''K%C3%A4the%27s%20_voice__1.take"
    )
    path = tmp_path / "exported.take"
    path.write_bytes(answer.body)
    assert np.array_equal(load_take(path).board, same_take.board)
    csv = serving.ask(api(take, "/export?format=csv&rate=30&rigmap=livelinkface61"))
    assert csv.headers["content-type"].startswith("text/csv")
    assert csv.body.count(b"\n") in (31, 32)


def test_the_sound_beside_an_export_is_a_wave_file_that_usd_names(
    serving: Serving, take: Any, tmp_path: Path, same_take: Take
) -> None:
    answer = serving.ask(api(take, "/wave"))
    name = "K%C3%A4the%27s%20_voice__1.wav"
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
    path = tmp_path / "sound.wav"
    path.write_bytes(answer.body)
    samples, rate_hz = soundfile.read(path)
    assert same_take.sound is not None
    assert (len(samples), rate_hz) == (same_take.sound.frames, same_take.sound.rate_hz)
    assert unquote(name).encode() in serving.ask(api(take, "/export?format=usd")).body
    assert serving.ask("/api/takes/0123/wave").status == 404


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("format=avi", 400, "no format 'avi'"),
        ("format=csv&rate=61", 400, "unknown frame rate"),
        ("format=csv&rigmap=metahuman", 400, "is for metahuman"),
        ("format=csv&rigmap=../../etc/passwd", 404, "there is no"),
        ("format=glb&head=../x", 404, "there is no"),
    ],
)
def test_an_impossible_export_is_reported(
    serving: Serving, take: Any, query: str, status: int, message: str
) -> None:
    answer = serving.ask(api(take, f"/export?{query}"))
    assert answer.status == status
    assert message in answer.problems


def test_unknown_resources_are_reported(serving: Serving, take: Any) -> None:
    for path in ("", "/curves", "/sound", "/export?format=take"):
        answer = serving.ask(f"/api/takes/0123{path}")
        assert answer.status == 404
        assert "there is no '0123'" in answer.problems
    assert serving.ask(api(take, "/curves?rigmap=nobody")).status == 404
    assert serving.ask("/heads/nobody.glb").status == 404
    assert serving.ask("/api/nothing").status == 404
    assert serving.ask("/api/session", b"", method="POST").status == 405
    for path in ("../guard.py", "..%2fguard.py", "%2e%2e/guard.py", "/etc/passwd", ".."):
        assert serving.ask(f"/page/{path}").status == 404


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"emotion": {"hapy": 1}}, "no emotion 'hapy'"),
        ({"emotion": {"happy": 1.6}}, "must be less than or equal to 1.5"),
        ({"emotion": {"happy": float("nan")}}, "emotion.happy"),
        ({"mouth_guard": 1.1}, "must be less than or equal to 1"),
        ({"mouth_guard": float("nan")}, "mouth_guard"),
        ({"levels": {"ears": 1}}, "levels.ears"),
        ({"levels": {"gaze": 2.1}}, "levels.gaze"),
        ({"lookahead_ms": 90}, "multiple of 20"),
        ({"lookahead_ms": 260}, "less than or equal to 240"),
        ({"more": 1}, "Extra inputs"),
        ({"recording": 5}, "must be a string"),
    ],
)
def test_an_invalid_request_is_reported(
    serving: Serving, take: Any, fields: Any, message: str
) -> None:
    answer = serving.ask("/api/takes", {"recording": take["recording"], **fields})
    assert answer.status == 400
    assert message in answer.problems


def test_an_invalid_document_is_reported(serving: Serving) -> None:
    for body in (b"", b"[]", b"{", b"\xff\xfe", b"[" * 50_000, json.dumps("x").encode()):
        assert serving.ask("/api/takes", body, method="POST").status == 400
    answer = serving.ask("/api/takes", b" " * (1 << 17))
    assert answer.status == 413
    assert serving.ask("/api/takes", {"recording": "gone"}).status == 404


def test_an_aborted_download_is_no_error(serving: Serving, take: Any) -> None:
    for what in ("curves?rigmap=metahuman", "sound", "export?format=npz"):
        with socket.create_connection(("127.0.0.1", serving.port)) as asking:
            path = api(take, f"/{what}")
            asking.sendall(f"GET {path} HTTP/1.1\r\nHost: {serving.address}\r\n\r\n".encode())
            asking.recv(100)
    assert serving.ask("/api/session").status == 200
    assert serving.notices == []


def test_a_take_can_be_closed(serving: Serving, recorded: Path) -> None:
    take = serving.take_of(recorded.read_bytes())
    assert serving.ask(api(take), method="DELETE").status == 204
    assert serving.ask(api(take)).status == 404
    assert serving.ask(api(take), method="DELETE").status == 404


def test_the_take_of_a_file_is_available_at_once(
    serving: Serving, same_take: Take, tmp_path: Path
) -> None:
    save_take(replace(same_take, slate="Zoë 7", number=3), tmp_path / "x.take")
    content = (tmp_path / "x.take").read_bytes()
    for name in ("Zoë 7.take", "renamed.zip"):
        document = serving.upload(content, name).document
        assert document["recording"] is None
        take = document["take"]
        assert (take["name"], take["state"], take["rows"]) == ("Zoë 7_3", "ready", 50)
        assert (take["emotion"], take["lookahead_ms"]) == ({"happy": 0.7}, 120)
        assert len(serving.ask(api(take, "/curves")).body) == 50 * 61 * 2
        assert serving.ask(api(take, "/sound")).status == 200
        again = serving.finished(serving.begin(take["recording"])["id"])
        assert again["state"] == "ready"


def test_a_take_without_sound_is_shown_silently(serving: Serving, tmp_path: Path) -> None:
    board = np.zeros((30, len(AUDIO_DRIVEN)), np.float32)
    silent = Take("mime", AUDIO_DRIVEN, board, still_head(30), rate=FRAME_RATES["29.97df"])
    save_take(silent, tmp_path / "mime.take")
    take = serving.upload((tmp_path / "mime.take").read_bytes(), "mime.take").document["take"]
    assert (take["has_sound"], take["recording"]) == (False, None)
    assert take["rate_hz"] == pytest.approx(29.97, abs=0.001)
    assert float(serving.ask(api(take, "/curves")).headers["x-rate-hz"]) == pytest.approx(29.97003)
    answer = serving.ask(api(take, "/sound"))
    assert answer.status == 409
    assert "no sound" in answer.problems


def test_a_take_of_another_version_or_damaged_is_reported(
    serving: Serving, same_take: Take, tmp_path: Path
) -> None:
    save_take(same_take, tmp_path / "x.take")
    content = (tmp_path / "x.take").read_bytes()
    newer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(newer, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "take.json":
                data = json.dumps({**json.loads(data), "version": 99}).encode()
            new.writestr(name, data)
    for wrong, message in (
        (newer.getvalue(), "version 99"),
        (content[:-300], "damaged"),
        (b"no zip at all", "not a take"),
    ):
        answer = serving.upload(wrong, "Käthe.take")
        assert answer.status == 400
        assert message in answer.problems
        assert answer.problems.startswith("Käthe.take |")
