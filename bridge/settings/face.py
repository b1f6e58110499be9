"""Settings that a face has in every use: live, in takes and on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, create_model

from cstalk_bridge.settings.table import live_settings, setting, take_settings


class FaceSettings(BaseModel):
    """Numbers of one face; each is described in the table of settings.

    A `seed` of None is drawn from the name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mouth_guard: float = setting("mouth_guard").field()
    transition_ms: float = setting("transition_ms").field()
    seed: int | None = setting("seed").field()


if TYPE_CHECKING:

    class TakeNumbers(BaseModel):
        """Numbers that a request for a take sets, by the names of the page's settings."""

    class SubjectNumbers(BaseModel):
        """Settings that a change of a running subject sets, by their field names."""

else:
    TakeNumbers = create_model(
        "TakeNumbers",
        **{entry.name: (type(entry.default), entry.field()) for entry in take_settings()},
    )
    SubjectNumbers = create_model(
        "SubjectNumbers",
        **{
            entry.field_name: (type(entry.default) | None, entry.field(default=None))
            for entry in live_settings()
        },
    )
