"""The network as the bridge uses it: one thread for its sums, faults in words for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from models.generator import Generator


def load_network(weights: Path | None, device: str) -> Generator:
    """Load a weights file, None the shipped one, onto `auto`, `cpu` or `cuda`; imports torch.

    For so small a network two threads are slower than one. UserError for a file that holds no
    weights of ours, and a device that is not there.
    """
    import torch

    from models import load_generator
    from models.errors import WeightsError

    torch.set_num_threads(1)
    try:
        return load_generator(weights, device)
    except WeightsError as error:
        raise UserError(Problem("weights", str(error))) from None
    except ValueError as error:
        raise UserError(Problem("device", str(error))) from None


def check_guards(generator: Generator, guards: Mapping[str, float]) -> None:
    """Raise UserError for every mouth guard that the network cannot heed.

    `guards` holds them by where the user set them.
    """
    problems = []
    for where, mouth_guard in guards.items():
        try:
            generator.check_guard(mouth_guard)
        except ValueError as error:
            problems.append(Problem(where, str(error)))
    if problems:
        raise UserError.of(problems)
