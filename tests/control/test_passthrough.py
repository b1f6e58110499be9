"""Commands of the audio passthrough, to a running bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.control.live_settings import read_live_settings
from cstalk_bridge.models.errors import UserError
from tests.control.running import running_bridge

if TYPE_CHECKING:
    from pathlib import Path


def test_delay_and_level_are_changed_and_reported(tmp_path: Path) -> None:
    subjects = [
        {"name": "Anna", "audio": {"input": "test"}, "passthrough": {"device": "no such cable"}},
        {"name": "Bruno", "audio": {"input": "test"}},
    ]
    links = ["osc://127.0.0.1:9/anna", "osc://127.0.0.1:9/bruno"]
    configured = [
        {**subject, "links": [link]} for subject, link in zip(subjects, links, strict=True)
    ]
    with running_bridge(tmp_path, subjects=configured) as bridge:
        anna, bruno = (bridge.controller.subject(name) for name in ("Anna", "Bruno"))
        anna.passthrough_delay(40.0)
        anna.passthrough_level(-6.0)
        messages = {address: values for address, *values in anna.state().messages()}
        assert messages["/cstalk/Anna/passthrough_delay"] == [40.0]
        assert messages["/cstalk/Anna/passthrough_level"] == [-6.0]
        device, total_delay_ms, gaps, _fault = messages["/cstalk/Anna/passthrough"]
        assert device == "no such cable"
        assert isinstance(total_delay_ms, float)
        assert total_delay_ms > 40.0 + 100.0
        assert gaps == 0
        with pytest.raises(UserError, match="-2000 to 2000 ms"):
            anna.passthrough_delay(1e6)
        with pytest.raises(UserError, match="has no audio passthrough"):
            bruno.passthrough_delay(40.0)
        assert not any("passthrough" in address for address, *_ in bruno.state().messages())
        assert read_live_settings(anna)["passthrough_delay_ms"] == 40.0
        assert "passthrough_delay_ms" not in read_live_settings(bruno)


def test_a_gate_for_voices_is_not_switched_while_a_take_is_recorded(tmp_path: Path) -> None:
    with running_bridge(tmp_path, "Anna") as bridge:
        anna = bridge.controller.subject("Anna")
        anna.gate(enabled=True, voice=True)
        assert anna.noise_gate.lead_s == pytest.approx(0.06)
        bridge.controller.record("start")
        bridge.wait_for_take()
        with pytest.raises(UserError, match="a take is being recorded"):
            anna.gate(voice=False)
        anna.gate(open_db=-40.0)
        assert anna.noise_gate.voice
        bridge.controller.record("stop")
        anna.gate(voice=False)
        assert anna.noise_gate.lead_s == 0.0
