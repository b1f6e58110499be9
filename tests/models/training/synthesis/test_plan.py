"""The plan of who says what is always the same, and never gives a held-out voice away."""

from __future__ import annotations

import pytest

from models.training.synthesis.plan import ROUNDS, SPEEDS, lines, speakers

ENGLISH = ("af_bella", "af_heart", "am_adam", "am_puck", "bf_emma", "bf_alice", "bm_george")
FOREIGN = ("ff_siwis", "jm_kumo")
TOLD = [("ff_siwis__a026.opus", 1.2), ("mix001__a035.opus", 1.2), ("mix002__a005.opus", 1.0)]
MIX = ("bm_george", 0.081994)
TEXTS = {f"a{number:03d}": f"Sentence {number}." for number in range(40)}


def test_held_out_voices_are_in_no_mixture() -> None:
    mixed = {voice for speaker in speakers((*ENGLISH, *FOREIGN)) for voice, _ in speaker.mix}
    assert mixed == {*ENGLISH, *FOREIGN} - {"am_puck", "bf_emma"}


def test_foreign_voices_speak_alone_and_all_others_are_mixed() -> None:
    cast = speakers((*ENGLISH, *FOREIGN), 50)
    assert [speaker.name for speaker in cast[:3]] == ["ff_siwis", "jm_kumo", "mix002"]
    assert all(len(speaker.mix) in {2, 3} for speaker in cast[2:])
    for speaker in cast:
        assert sum(weight for _, weight in speaker.mix) == pytest.approx(1.0)
    assert {speaker.accent for speaker in cast} == {"en-us", "en-gb"}


def test_the_plan_depends_on_nothing_but_voices_and_texts() -> None:
    first = list(lines(speakers(ENGLISH, 20), TEXTS, 5))
    again = list(lines(speakers(tuple(reversed(ENGLISH)), 20), dict(reversed(TEXTS.items())), 5))
    assert first == again
    longer = list(lines(speakers(ENGLISH, 20), TEXTS, 6))
    assert longer[: len(first)] == first


def test_the_plan_is_the_one_that_recordings_were_made_by() -> None:
    """The first lines of the plan for these voices: another plan could not resume a folder."""
    cast = speakers(("af_bella", "af_heart", "am_adam", "bm_george", "ff_siwis"), 3)
    told = [(line.file, line.speed) for line in lines(cast, TEXTS, 1)]
    assert told == TOLD
    assert cast[1].mix[0] == (MIX[0], pytest.approx(MIX[1], abs=1e-5))


def test_no_speaker_says_a_sentence_twice() -> None:
    files = [line.file for line in lines(speakers(ENGLISH, 5), TEXTS, ROUNDS)]
    assert len(set(files)) == len(files) < 5 * ROUNDS
    assert {line.speed for line in lines(speakers(ENGLISH, 5), TEXTS, ROUNDS)} == {*SPEEDS}


def test_too_few_voices_are_said_to_be_too_few() -> None:
    with pytest.raises(ValueError, match="1 English voices are too few"):
        speakers(("af_bella", "ff_siwis"))
