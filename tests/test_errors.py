"""Every error of the package is one for users or one for programs."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import cstalk_bridge.models
from cstalk_bridge.models.errors import Problem, UserError, WeightsError

OWN_BASES = {
    "DeviceRequestError": "a reply to the client of a MetaHuman device",
    "MalformedError": "a malformed request of that client",
    "MissingPartError": "a speech synthesiser that is not installed",
    "LimitExceededError": "a client that exceeds a limit, whose connection is closed",
    "StoppedError": "work that was cancelled",
    "FaultError": "a fault that fuzzing found",
    "MissingDataError": "a suite without recordings, which the table names",
}
"""Errors that never leave the package, and what they are."""


def errors() -> dict[str, type[BaseException]]:
    found: dict[str, type[BaseException]] = {}
    for package in (cstalk_bridge, cstalk_bridge.models):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__"):
                continue
            try:
                names = vars(importlib.import_module(module.name))
            except ImportError:  # of an optional dependency, or of another system
                continue
            for name, value in names.items():
                is_error = isinstance(value, type) and issubclass(value, Exception)
                if is_error and value.__module__ == module.name:
                    found[name] = value
    return found


def test_every_error_is_for_users_or_for_programs() -> None:
    others = {
        name for name, error in errors().items() if not issubclass(error, UserError | ValueError)
    }
    assert others <= set(OWN_BASES)


def test_a_user_error_lists_every_problem_with_place_and_advice() -> None:
    error = UserError.of([Problem("c.yaml:1:2", "is wrong", "fix it"), Problem("", "is missing")])
    assert str(error) == "c.yaml:1:2: is wrong; fix it\nis missing"
    assert len(error.problems) == 2


def test_a_weights_error_is_for_both() -> None:
    with pytest.raises(ValueError, match="no such file"):
        raise WeightsError("no such file")
    assert isinstance(WeightsError("no such file"), UserError)
