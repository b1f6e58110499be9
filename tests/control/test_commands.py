"""The table of commands: how arguments are parsed, and that the Python API matches it."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.control.commands import COMMANDS, Command, Parameter, ParameterType
from cstalk_bridge.control.controller import Controller
from cstalk_bridge.control.subject_controller import SubjectController
from cstalk_bridge.models.emotions import EMOTIONS, MAX_WEIGHT
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.osc_messages import address_fault

ARGUMENTS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()


def problems(command: str, *arguments: object) -> str:
    with pytest.raises(UserError) as caught:
        COMMANDS[command].read(arguments)
    return str(caught.value)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_is_a_method_of_the_python_api(command: Command) -> None:
    owner = SubjectController if command.is_of_subject else Controller
    parameters = inspect.signature(getattr(owner, command.name)).parameters
    documented = [parameter.name for parameter in command.parameters]
    if command.is_repeated:
        documented = ["mix", *(p.name for p in command.parameters if p.is_optional)]
    assert [name for name in parameters if name != "self"] == documented
    for parameter in command.parameters:
        if parameter.is_optional:
            assert parameters[parameter.name].default is not inspect.Parameter.empty


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_has_an_address(command: Command) -> None:
    assert address_fault(command.address.replace("<subject>", "CSTalk")) is None


def test_an_emotion_mix_is_parsed_as_pairs_with_or_without_a_time() -> None:
    read = COMMANDS["emotion"].read
    assert read(["happy", 0.8]) == {"mix": {"happy": 0.8}}
    assert read(["happy", 1, 2]) == {"mix": {"happy": 1.0}, "over_s": 2.0}
    assert read(["happy", 0.8, "sad", "0.1", 1.5]) == {
        "mix": {"happy": 0.8, "sad": 0.1},
        "over_s": 1.5,
    }


def test_every_wrong_argument_is_reported_with_its_range() -> None:
    message = problems("emotion", "glad", 2.0, -1.0)
    assert "emotion: must be neutral, happy" in message
    assert f"weight: must be 0 to {MAX_WEIGHT:g}, found 2.0" in message
    assert "over_s: must be 0 to 60 s, found -1.0" in message
    assert "takes emotion weight ... [over_s], found 1 arguments" in problems("emotion", "happy")
    assert "takes no arguments, found 1" in problems("reload", 1)
    assert "take: must be 0 to 2147483647, whole" in problems("/record", "start", "A", 1.5)
    assert "is_muted: must be 1 or 0" in problems("mute", 2)


def test_switches_and_numbers_may_come_in_any_osc_type() -> None:
    for on in (1, 1.0, True, "1"):
        assert COMMANDS["mute"].read([on]) == {"is_muted": True}
    assert COMMANDS["/record"].read(["start", "A", 3.0]) == {
        "action": "start",
        "slate": "A",
        "take": 3,
    }
    assert COMMANDS["mute"].read([]) == {}


@given(st.sampled_from(sorted(COMMANDS)), st.lists(ARGUMENTS, max_size=9))
def test_any_argument_is_read_within_its_range_or_reported(
    name: str, arguments: list[object]
) -> None:
    try:
        values = COMMANDS[name].read(arguments)
    except UserError:
        return
    for parameter in COMMANDS[name].parameters:
        if isinstance(value := values.get(parameter.name), float):
            assert parameter.minimum <= value <= parameter.maximum
    assert set(values.get("mix", {})) <= set(EMOTIONS)


@given(ARGUMENTS)
def test_a_whole_number_is_never_rounded(argument: object) -> None:
    parameter = Parameter("port", ParameterType.WHOLE, minimum=1, maximum=65535)
    try:
        value = parameter.read(argument)
    except UserError:
        return
    assert isinstance(value, int)
    assert float(str(argument)) == value
