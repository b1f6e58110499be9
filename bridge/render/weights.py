"""What tells one network of a render from another."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError
from models.shipped import DEFAULT_PATH

if TYPE_CHECKING:
    from bridge.render.settings import RenderSettings


def weights_hash(settings: RenderSettings) -> str:
    """Return a hash of the weights file. UserError where it cannot be read."""
    path = settings.weights or DEFAULT_PATH
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise UserError(Problem(str(path), what, "check --weights")) from None
