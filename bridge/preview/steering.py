"""What the page may tell the subjects of a running bridge, and what it is told of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from bridge.control.commands import MAX_INTENSITY
from bridge.face.alive.levels import PARTS
from bridge.face.emotion import MAX_TRANSITION_MS
from bridge.face.mix import EmotionMix
from bridge.preview.asking import document_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from bridge.control.desk import Desk
    from bridge.control.subject_desk import SubjectDesk

NOT_KEPT = {"cache-control": "no-store"}


class SubjectWish(BaseModel):
    """What a page asks of a subject; what it leaves out stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="none")

    emotion: EmotionMix | None = None
    intensity: float | None = Field(default=None, ge=0.0, le=MAX_INTENSITY, allow_inf_nan=False)
    mouth_guard: float | None = Field(default=None, ge=0.0, le=1.0, allow_inf_nan=False)
    levels: dict[str, float] = Field(default_factory=dict, max_length=len(PARTS))
    over_s: float | None = Field(
        default=None, ge=0.0, le=1e-3 * MAX_TRANSITION_MS, allow_inf_nan=False
    )


class Steering:
    """The subjects at a desk; without one there are none."""

    def __init__(self, desk: Desk | None) -> None:
        self._desk = desk

    async def subjects(self, _request: Request) -> Response:
        """Give what each subject was told last."""
        subjects = self._desk.subjects if self._desk else ()
        return JSONResponse([_described(subject) for subject in subjects], headers=NOT_KEPT)

    async def tell(self, request: Request) -> Response:
        """Change what a subject feels, and how far it lives. RefusalError and UserError say why."""
        wish = await document_of(request, SubjectWish)
        if self._desk is None:
            return Response(status_code=404)
        subject = self._desk.subject(request.path_params["name"])
        for part, level in wish.levels.items():
            subject.level(part, level)
        if wish.mouth_guard is not None:
            subject.mouth_guard(wish.mouth_guard, wish.over_s)
        if wish.intensity is not None:
            subject.intensity(wish.intensity, wish.over_s)
        if wish.emotion is not None:
            subject.emotion(wish.emotion, wish.over_s)
        return JSONResponse(_described(subject), headers=NOT_KEPT)


def _described(subject: SubjectDesk) -> dict[str, Any]:
    return {
        "name": subject.name,
        "emotion": subject.mix,
        "intensity": subject.factor,
        "mouth_guard": subject.guard,
        "levels": asdict(subject.levels),
    }
