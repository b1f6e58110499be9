from dataclasses import fields

import pytest

from bridge.document import FieldError
from bridge.face.alive.levels import AS_GENERATED, PARTS, Levels, read_levels


@pytest.mark.parametrize("name", [field.name for field in fields(Levels)])
@pytest.mark.parametrize("value", [-0.1, 2.1, float("nan")])
def test_a_level_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Levels(**{name: value})


def test_levels_go_from_off_to_twice_and_symmetry_to_one() -> None:
    names = [field.name for field in fields(Levels)]
    Levels(**dict.fromkeys(names, 0.0))
    Levels(**dict.fromkeys(names[:-1], 2.0), symmetry=1.0)
    with pytest.raises(ValueError, match="symmetry"):
        Levels(symmetry=1.5)


def test_a_face_as_generated_has_no_life_of_its_own() -> None:
    assert AS_GENERATED.liveliness == 0.0
    assert Levels(gaze=0.0, head=0.0, brows=0.0, idle=0.0, blink=0.5).liveliness == 0.5
    assert Levels(gaze=2.0).liveliness == 1.0


def test_levels_are_read_as_on_the_command_line() -> None:
    assert read_levels(" gaze:0.5, head : 0,") == {"gaze": "0.5", "head": "0"}
    assert read_levels("") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [("gaze", "'gaze' is no level"), ("ears:1", "ears:1"), ("head:1,head:0", "head stands twice")],
)
def test_what_is_no_list_of_levels_is_told_with_all_there_are(text: str, words: str) -> None:
    with pytest.raises(FieldError) as caught:
        read_levels(text)
    assert words in caught.value.what
    assert all(part in (caught.value.remedy or "") for part in PARTS)
