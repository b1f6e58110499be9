"""Emotions that change by themselves, told in their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.control.desk import Desk
from bridge.control.prompter import Prompter, prompts
from bridge.takes.emotions import Key
from tests.control.running import running_bridge

if TYPE_CHECKING:
    from pathlib import Path

SAD, ANGRY = Key(at_s=0.0, emotion={"sad": 1.0}, over_s=0.0), Key(at_s=0.4, emotion="angry:0.5")
HAPPY = Key(at_s=0.2, emotion={"happy": 0.7})


def test_prompts_of_all_subjects_stand_in_the_order_of_their_time() -> None:
    found = prompts({"One": [SAD, ANGRY], "Two": [HAPPY]})
    assert [(p.subject, p.key.at_s) for p in found] == [("One", 0.0), ("Two", 0.2), ("One", 0.4)]


def test_a_run_follows_the_keys_of_its_config(tmp_path: Path) -> None:
    keys = [
        {"at_s": 0.0, "emotion": "sad", "over_s": 0.1},
        {"at_s": 0.5, "emotion": "happy:0.8", "over_s": 0.1},
    ]
    subject = {"name": "A", "audio": {"input": "test"}, "emotions": keys}
    with running_bridge(tmp_path, subjects=[subject]) as bridge:
        felt = bridge.metrics.subjects[0].emotion_at
        bridge.wait_for(lambda: felt(bridge.now())["sad"] == 1.0)
        begun_s = bridge.now()
        bridge.wait_for(lambda: bridge.desk.subject("A").mix == {"happy": 0.8})
        assert bridge.now() - begun_s > 0.2


def test_a_prompt_for_nobody_is_told_and_the_others_go_on() -> None:
    """No bridge runs: each prompt is for nobody."""
    prompter = Prompter(prompts({"One": [SAD], "Two": [HAPPY]}), Desk(), lambda: 0.0)
    prompter.start()
    prompter.stop()
    never = Prompter((), Desk(), lambda: 0.0)
    never.stop()
