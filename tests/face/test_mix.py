from __future__ import annotations

import pytest

from bridge.config.load import Flags, subject_of
from bridge.config.schema import SubjectConfig
from bridge.errors import UserError
from bridge.face.felt import Shares
from bridge.face.mix import chosen, shares


@pytest.mark.parametrize(
    ("emotion", "mix", "said"),
    [
        ("auto", {}, Shares(auto=1.0)),
        ("auto:0.5, happy:0.3", {"happy": 0.3}, Shares(auto=0.5)),
        ({"happy": 0.7, "arousal": 1.0}, {"happy": 0.7}, Shares(arousal=1.0)),
        ("happy", {"happy": 1.0}, Shares()),
        (None, {}, Shares()),
    ],
)
def test_the_voice_has_a_say_by_two_names_in_the_mix(
    emotion: object, mix: dict[str, float], said: Shares
) -> None:
    read = SubjectConfig.model_validate({"emotion": emotion}).emotion
    assert chosen(read) == mix
    assert shares(read) == said
    assert shares(read).are_any == (said != Shares())


def test_other_names_are_told_with_all_there_are() -> None:
    with pytest.raises(UserError, match=r"no emotion 'joy'; use neutral, .*, auto, arousal"):
        subject_of(Flags(emotion="joy:1"))


def test_keys_over_time_have_emotions_only() -> None:
    with pytest.raises(ValueError, match="no emotion 'auto'"):
        SubjectConfig.model_validate({"emotions": [{"at_s": 0, "emotion": "auto"}]})
