"""Our own commands, on a running bridge."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.control.osc_commands import (
    MAX_ERROR_CHARACTERS,
    MAX_QUESTIONS,
    QUESTIONS_S,
    CommandHandler,
    error_reply,
)
from cstalk_bridge.models.board import CHANNEL_INDEX
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.livelink_face import decode
from cstalk_bridge.outputs.osc_messages import Message, decode_packet
from tests.control.running import running_bridge
from tests.outputs.receiving import receiver

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.control.controller import Controller
    from tests.control.running import RunningBridge


JAW = CHANNEL_INDEX["CTRL_C_jaw.ty"]
SENDER = ("127.0.0.1", 50_000)


def execute(controller: Controller, address: str, *arguments: str | float) -> None:
    """Execute a command and expect one reply, a confirmation to the sender."""
    reply = CommandHandler(controller).handle(Message(address, arguments), SENDER)
    done = reply.work() if reply.work else reply
    assert [(out.to, decode_packet(out.datagram)) for out in done.outgoing] == [
        (SENDER, [Message("/cstalk/ok", (address,))])
    ]


def test_emotions_fade_in_over_their_time_and_are_shown(bridge: RunningBridge) -> None:
    emotion_at = bridge.metrics.subjects[0].emotion_at
    execute(bridge.controller, "/cstalk/CSTalk/emotion", "happy", 0.8, "sad", 0.1, 0.2)
    bridge.wait_for(lambda: emotion_at(bridge.now()) == pytest.approx(mix(happy=0.8, sad=0.1)))
    execute(bridge.controller, "/cstalk/CSTalk/weight", "sad", 0.5)
    bridge.wait_for(lambda: emotion_at(bridge.now()) == pytest.approx(mix(happy=0.8, sad=0.5)))
    execute(bridge.controller, "/cstalk/CSTalk/weight/sad", 0)
    execute(bridge.controller, "/cstalk/CSTalk/intensity", 0.5, 0)
    bridge.wait_for(lambda: emotion_at(bridge.now()) == pytest.approx(mix(happy=0.4)))
    execute(bridge.controller, "/cstalk/CSTalk/emotion", "neutral", 1, 0)
    subject = bridge.controller.subject("CSTalk")
    assert (subject.mix, subject.factor) == ({"neutral": 1.0}, 0.5)
    execute(bridge.controller, "/cstalk/CSTalk/intensity", 1)


def mix(**weights: float) -> dict[str, float]:
    names = ("neutral", "happy", "sad", "angry", "surprised", "fearful", "disgusted")
    return {name: weights.get(name, 0.0) for name in names}


def test_subjects_are_selected_by_name_by_osc_spelling_or_all(bridge: RunningBridge) -> None:
    controller = bridge.controller
    execute(controller, "/cstalk/Ada Lovelace/emotion", "happy", 1)
    execute(controller, "/cstalk/Ada_Lovelace/weight", "sad", 1)
    assert controller.subject("Ada Lovelace").mix == {"happy": 1.0, "sad": 1.0}
    execute(controller, "/cstalk/*/emotion", "angry", 0.3)
    assert [subject.mix for subject in controller.subjects] == [{"angry": 0.3}] * 2
    with pytest.raises(UserError, match="no subject 'Ad'; known: CSTalk, Ada Lovelace"):
        execute(controller, "/cstalk/Ad/emotion", "happy", 1)


@pytest.mark.parametrize(
    "address",
    ["/cstalk/", "/cstalk//", "/cstalk/emotion", "/cstalk/CSTalk/", "/cstalk/CSTalk/smile"],
)
def test_an_unknown_command_is_reported(bridge: RunningBridge, address: str) -> None:
    with pytest.raises(UserError, match="there is no command"):
        execute(bridge.controller, address, "happy", 1)


def test_levels_have_their_own_limits(bridge: RunningBridge) -> None:
    execute(bridge.controller, "/cstalk/CSTalk/level/gaze", 2)
    execute(bridge.controller, "/cstalk/CSTalk/level", "symmetry", 1.0)
    with pytest.raises(UserError, match="symmetry goes from 0 to 1, found"):
        execute(bridge.controller, "/cstalk/CSTalk/level/symmetry", 1.5)
    with pytest.raises(UserError, match="part: must be gaze, head"):
        execute(bridge.controller, "/cstalk/CSTalk/level/nose", 1.5)


def test_a_guard_is_checked_and_eased(bridge: RunningBridge) -> None:
    execute(bridge.controller, "/cstalk/CSTalk/mouth_guard", 0.9, 0.1)
    with pytest.raises(UserError, match="share: must be 0 to 1, found"):
        execute(bridge.controller, "/cstalk/CSTalk/mouth_guard", 1.1)


def test_emotion_from_the_voice_reports_its_terms_once(bridge: RunningBridge) -> None:
    subject = bridge.controller.subject("CSTalk")
    execute(bridge.controller, "/cstalk/CSTalk/arousal", 0.5)
    for share in (1, 0.0, 1.0):
        execute(bridge.controller, "/cstalk/CSTalk/auto", share, 0.1)
        assert (subject.voice_weights.auto, subject.voice_weights.arousal) == (share, 0.5)
    assert sum("non-commercial" in text or "BY-NC" in text for text in bridge.notices) == 1
    with pytest.raises(UserError, match=r"share: must be 0 to 1\.5"):
        execute(bridge.controller, "/cstalk/CSTalk/auto", 2)
    execute(bridge.controller, "/cstalk/CSTalk/auto", 0)
    execute(bridge.controller, "/cstalk/CSTalk/arousal/0")


def state(controller: Controller, name: str) -> dict[str, tuple[object, ...]]:
    """Query the state; the reply holds it in all messages but the last."""
    reply = CommandHandler(controller).handle(Message(f"/cstalk/{name}/state", ()), SENDER)
    assert reply.work is not None
    outgoing = reply.work().outgoing
    assert {out.to for out in outgoing} == {SENDER}
    *reported, done = (decode_packet(out.datagram)[0] for out in outgoing)
    assert done == Message("/cstalk/ok", (f"/cstalk/{name}/state",))
    return {message.address: message.arguments for message in reported}


REPORTED = ("link", "sound", "health", "fault")
"""What is reported, and no command."""


def test_the_reported_state_can_be_sent_back(
    bridge: RunningBridge,
) -> None:
    execute(bridge.controller, "/cstalk/CSTalk/emotion", "happy", 0.5, "sad", 0.25)
    execute(bridge.controller, "/cstalk/CSTalk/level/gaze", 0.5)
    execute(bridge.controller, "/cstalk/CSTalk/mute", 1)
    reported = state(bridge.controller, "CSTalk")
    assert reported["/cstalk/CSTalk/weight/happy"] == (0.5,)
    assert reported["/cstalk/CSTalk/level/gaze"] == (0.5,)
    assert reported["/cstalk/CSTalk/mute"] == (1,)
    name, sent, failed, error, lamp, advice = reported["/cstalk/CSTalk/link"]
    assert (str(name)[:16], failed, error, advice) == ("livelink-face://", 0, "", "")
    assert lamp in ("listening", "sent, no answer expected")
    assert int(str(sent)) > 0
    input_state, level_db = reported["/cstalk/CSTalk/sound"]
    assert input_state == "running"
    assert -121.0 < float(str(level_db)) <= 0.0
    execute(bridge.controller, "/cstalk/CSTalk/mute", 0)
    for address, arguments in reported.items():
        if address.split("/")[3] not in REPORTED:
            execute(bridge.controller, address, *arguments)  # type: ignore[arg-type]
    varying: dict[str, tuple[object, ...]] = {f"/cstalk/CSTalk/{name}": () for name in REPORTED}
    assert state(bridge.controller, "CSTalk") | varying == reported | varying
    execute(bridge.controller, "/cstalk/CSTalk/mute", 0)
    execute(bridge.controller, "/cstalk/CSTalk/level/gaze", 1)
    execute(bridge.controller, "/cstalk/CSTalk/emotion", "neutral", 1)


def test_the_state_of_all_subjects_is_reported_at_once_with_spaces_as_written(
    bridge: RunningBridge,
) -> None:
    reported = state(bridge.controller, "*")
    assert {address.split("/")[2] for address in reported} == {"CSTalk", "Ada_Lovelace"}


def test_queries_beyond_the_limit_are_refused(bridge: RunningBridge) -> None:
    now_s = 100.0
    own = CommandHandler(bridge.controller, lambda: now_s)
    for _ in range(MAX_QUESTIONS):
        own.handle(Message("/cstalk/CSTalk/state", ()), SENDER)
    with pytest.raises(UserError, match="ask less often"):
        own.handle(Message("/cstalk/CSTalk/state", ()), SENDER)
    now_s += QUESTIONS_S
    own.handle(Message("/cstalk/CSTalk/state", ()), SENDER)


def test_muting_a_voice_leaves_packets_running(bridge: RunningBridge) -> None:
    subject = bridge.metrics.subjects[0]
    execute(bridge.controller, "/cstalk/CSTalk/mute")
    bridge.wait_for(lambda: subject.peak_db < -90.0)
    assert (subject.is_muted, bridge.controller.subject("CSTalk").is_muted) == (True, True)
    frame = bridge.packet().frame
    bridge.wait_for(lambda: bridge.packet().frame > frame)
    execute(bridge.controller, "/cstalk/CSTalk/mute", 0)
    bridge.wait_for(lambda: subject.peak_db > -30.0)


def test_a_paused_face_keeps_its_mouth_shape(bridge: RunningBridge) -> None:
    jaws: list[float] = []

    def jaw_moves() -> bool:
        jaws.append(float(bridge.metrics.subjects[0].board[JAW]))
        del jaws[:-20]
        return len(jaws) < 20 or max(jaws) - min(jaws) > 1e-6

    execute(bridge.controller, "/cstalk/*/pause", 1)
    bridge.wait_for(lambda: not jaw_moves())
    execute(bridge.controller, "/cstalk/*/pause", 0)
    bridge.wait_for(jaw_moves)


def test_the_look_ahead_changes_while_faces_go_on(bridge: RunningBridge) -> None:
    subject = bridge.metrics.subjects[0]
    frame = bridge.packet().frame
    for asked, reached in ((163, 160), (40, 40), (80, 80)):
        execute(bridge.controller, "/cstalk/CSTalk/lookahead", asked)
        assert subject.lookahead_ms == reached
    bridge.wait_for(lambda: bridge.packet().frame > frame)
    with pytest.raises(UserError, match="lookahead_ms: must be 0 to 240"):
        execute(bridge.controller, "/cstalk/CSTalk/lookahead", 260)


def test_the_look_ahead_is_fixed_while_a_take_is_recorded(bridge: RunningBridge) -> None:
    execute(bridge.controller, "/cstalk/record", "start", "Steady")
    with pytest.raises(UserError, match="a take is being recorded"):
        execute(bridge.controller, "/cstalk/CSTalk/lookahead", 160)
    execute(bridge.controller, "/cstalk/record", "stop")
    assert bridge.metrics.subjects[0].lookahead_ms == 80


def test_a_take_starts_with_the_next_number_and_stops(bridge: RunningBridge) -> None:
    execute(bridge.controller, "/cstalk/record", "start", "Own", 5)
    bridge.wait_for_take()
    execute(bridge.controller, "/cstalk/record", "stop")
    execute(bridge.controller, "/cstalk/record", "start")
    assert bridge.controller.takes.is_recording
    execute(bridge.controller, "/cstalk/record", "stop")
    names = {path.name[9:] for path in (bridge.folder / "takes").iterdir()}
    assert names >= {"Own_5", "Own_6"}
    assert any(re.fullmatch(r"recording take \d+_Own_6", text) for text in bridge.notices)


def test_an_error_reply_is_bounded() -> None:
    message = Message("/cstalk/CSTalk/emo\0tion", ())
    reply = error_reply(message, UserError(Problem("x", "y\0" * 1000)), [SENDER])
    (reported,) = decode_packet(reply.outgoing[0].datagram)
    assert reported.address == "/cstalk/error"
    assert len(str(reported.arguments[1])) == MAX_ERROR_CHARACTERS


def test_the_face_still_moves(bridge: RunningBridge) -> None:
    bridge.wait_for(lambda: np.any(bridge.packet().values))


def test_a_rig_map_is_reloaded_and_a_faulty_one_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "hero.yaml"
    path.write_text("extends: livelinkface61\ncurves:\n  JawOpen: CTRL_C_jaw.ty\n")
    with receiver() as engine, ExitStack() as closing:
        link = f"livelink-face://{engine.target}?rigmap={path}"
        subject = {"name": "A", "audio": {"input": "test"}, "links": [link]}
        bridge = closing.enter_context(running_bridge(tmp_path, subjects=[subject]))
        jaw = 17

        def jaw_is_shut() -> bool:
            engine.all_waiting()
            values = [decode(engine.one()).values for _ in range(10)]
            return not any(face[jaw] for face in values if face is not None)

        bridge.wait_for(lambda: not jaw_is_shut())
        path.write_text(
            "extends: livelinkface61\ncurves:\n  JawOpen: {from: CTRL_C_jaw.ty, gain: x}\n"
        )
        with pytest.raises(UserError, match=f"{path}:3"):
            execute(bridge.controller, "/cstalk/A/reload")
        assert not jaw_is_shut()
        path.write_text(
            "extends: livelinkface61\ncurves:\n  JawOpen: {from: CTRL_C_jaw.ty, gain: 0}\n"
        )
        execute(bridge.controller, "/cstalk/A/reload")
        bridge.wait_for(jaw_is_shut)


@pytest.mark.parametrize(("on", "off"), [(1, 0), (1.0, 0.0), (True, False)])
def test_buttons_and_toggles_record(bridge: RunningBridge, on: float, off: float) -> None:
    takes = bridge.controller.takes
    for start, stop in (
        (("/cstalk/record/start", on), ("/cstalk/record/stop", on)),
        (("/cstalk/record", on), ("/cstalk/record", off)),
    ):
        execute(bridge.controller, "/cstalk/record/start", off)
        assert not takes.is_recording
        execute(bridge.controller, *start)
        assert takes.is_recording
        execute(bridge.controller, "/cstalk/record/start", off)
        execute(bridge.controller, "/cstalk/record/stop", off)
        bridge.wait_for_take()
        execute(bridge.controller, *stop)
        assert not takes.is_recording
    with pytest.raises(UserError, match=r"must be start or stop \(as a number: stop 0, start 1\)"):
        execute(bridge.controller, "/cstalk/record", 2)
    execute(bridge.controller, "/cstalk/CSTalk/reload", on)
    execute(bridge.controller, "/cstalk/CSTalk/reload", off)


def test_the_state_of_the_bridge_reports_whether_it_records(bridge: RunningBridge) -> None:
    def reported() -> dict[str, tuple[object, ...]]:
        reply = CommandHandler(bridge.controller).handle(Message("/cstalk/state", ()), SENDER)
        assert reply.work is not None
        messages = [decode_packet(out.datagram)[0] for out in reply.work().outgoing]
        assert messages[-1] == Message("/cstalk/ok", ("/cstalk/state",))
        return {message.address: message.arguments for message in messages}

    before = reported()
    assert before["/cstalk/record"] == (0,)
    assert {"/cstalk/CSTalk/gain", "/cstalk/Ada_Lovelace/gain"} <= before.keys()
    execute(bridge.controller, "/cstalk/record", "start", "Lamp")
    assert reported()["/cstalk/record"] == (1,)
    execute(bridge.controller, "/cstalk/record", "stop")


def test_gain_takes_effect_on_the_input(bridge: RunningBridge) -> None:
    subject = bridge.metrics.subjects[0]
    bridge.wait_for(lambda: subject.peak_db > -30.0)
    execute(bridge.controller, "/cstalk/CSTalk/gain", -60)
    bridge.wait_for(lambda: subject.peak_db < -55.0)
    assert bridge.controller.subject("CSTalk").state().gain_db == -60.0
    execute(bridge.controller, "/cstalk/CSTalk/gain/0")
    bridge.wait_for(lambda: subject.peak_db > -30.0)
    with pytest.raises(UserError, match="gain_db: must be -60 to 60 dB, found 61"):
        execute(bridge.controller, "/cstalk/CSTalk/gain", 61)
