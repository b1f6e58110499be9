"""The network of a render: its file, and itself once it is needed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from bridge.render.settings import RenderSettings
    from models.generator import Generator

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "weights" / "cstalk.safetensors"


def weights_hash(settings: RenderSettings) -> str:
    """Return a hash of the weights file. UserError where it cannot be read."""
    path = settings.weights or SHIPPED
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise UserError(Problem(str(path), what, "check --weights")) from None


def load_network(settings: RenderSettings) -> Generator:
    """Load the network, with one thread for its sums: the other cores read and write meanwhile.

    UserError for a file that holds no weights of ours, and a device that is not there.
    """
    import torch

    from models import load_generator
    from models.errors import WeightsError

    torch.set_num_threads(1)
    try:
        return load_generator(settings.weights, settings.device)
    except WeightsError as error:
        raise UserError(Problem("--weights", str(error))) from None
    except ValueError as error:
        raise UserError(Problem("--device", str(error))) from None
