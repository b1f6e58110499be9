"""What requests carry: each body read from JSON, with its limits."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from bridge.links.metahuman.messages import ErrorName, Name, RefusalError, faults_of

MAX_SUBJECTS = 64
"""Subjects named in one request."""

MAX_TAKES = 4096
"""Takes named in one request."""

MAX_TAKE_NUMBER = 2**31 - 1

Body = TypeVar("Body", bound="_Body")


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    @classmethod
    def of(cls: type[Body], body: dict[str, Any] | None) -> Body:
        """Read the body of a request. RefusalError: it is missing, or does not fit."""
        if body is None:
            raise RefusalError(ErrorName.MISSING_BODY, "this request needs a body")
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            raise RefusalError(ErrorName.PARSING_FAILED, faults_of(error)) from None


class NamedSubject(_Body):
    """A subject as the other side names it. Only the id counts: the name may be its own."""

    id: Name


class StreamStart(_Body):
    """Where frames are to go: a UDP port of the host that asks. No subjects means all."""

    stream_port: int = Field(ge=1, le=65535)
    subjects: tuple[NamedSubject, ...] = Field(default=(), max_length=MAX_SUBJECTS)


class StreamStop(_Body):
    """Which frames are wanted no more. No ids means all."""

    subject_ids: tuple[Name, ...] = Field(default=(), max_length=MAX_SUBJECTS)


class TakeNames(_Body):
    """Which takes are asked about. No names means none."""

    names: tuple[Name, ...] = Field(default=(), max_length=MAX_TAKES)


class TakeOrder(_Body):
    """A take to be recorded, as on a clapperboard. What else Unreal says of it is not recorded."""

    slate_name: Name = Field(min_length=1)
    take_number: int = Field(ge=0, le=MAX_TAKE_NUMBER)
