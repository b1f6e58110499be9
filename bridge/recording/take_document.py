"""What `take.json` says of a take: the keys of the Live Link Face app first, then ours."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from bridge.version import program_version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bridge.clock.rate import FrameRate
    from bridge.clock.tick import Tick
    from bridge.recording.folder import TakeName
    from bridge.recording.subject_files import SubjectFiles

PROGRAM: Final = "CSTalk Bridge"
NANOSECONDS: Final = 10**9


class TakeDocument:
    """The document of one take, of which the first subject gives length and timecode."""

    def __init__(self, name: TakeName, rate: FrameRate, began: datetime) -> None:
        self._keys: dict[str, Any] = {
            "identifier": name.identifier,
            "slate": name.slate,
            "take": name.number,
            "subject": "",
            "date": began.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "version": 1,
            "appVersion": f"{PROGRAM} {program_version()}",
            "deviceModel": PROGRAM,
            "calibrated": True,
            "videoTargetFrameRate": rate.nominal,
            "frameRate": rate.name,
        }

    def begun(self, files: Sequence[SubjectFiles]) -> dict[str, Any]:
        """Return what it says while the take is recorded; where it began, once there is a frame."""
        first = files[0].first
        document = self._keys | {"subject": files[0].subject.name}
        if first:
            start, _ = files[0].timecodes
            document |= {"startTimecode": start, "startTimestamp": _timestamp(first)}
        return document | {"subjects": [each.document() for each in files]}

    def finished(self, files: Sequence[SubjectFiles], problem: str = "") -> dict[str, Any]:
        """Return what it says of the whole take; `problem` is why it is not what was asked for."""
        document = self.begun(files)
        described = document.pop("subjects")
        if last := files[0].last:
            _, end = files[0].timecodes
            document |= {"endTimecode": end, "endTimestamp": _timestamp(last)}
        document["frames"] = described[0]["frames"]
        if problem:
            document["problem"] = problem
        return document | {"subjects": described}


def _timestamp(tick: Tick) -> dict[str, int]:
    return {"value": round(tick.due_s * NANOSECONDS), "timescale": NANOSECONDS}
