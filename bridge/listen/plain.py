"""What arrives, as plain lines: for logs, pipes and terminals without a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.listen.words import advice, arrival, losses, refusal, title

if TYPE_CHECKING:
    from bridge.listen.stream import Key, StreamReport
    from bridge.listen.streams import Report

STATUS_EVERY_S = 5.0
"""Time between two lines of a stream that has nothing new."""

CURVES = 4
"""Curves in a line: the strongest."""


class PlainReport:
    """Turns reports into lines, each thing once: pure apart from what it has said already."""

    def __init__(self) -> None:
        self._said_s: dict[Key, float] = {}
        self._advice: dict[Key, str] = {}
        self._refused: dict[str, float] = {}

    def lines(self, report: Report, now_s: float) -> list[str]:
        """Return what is new at `now_s`: streams that began or changed, refusals, now and then."""
        lines = []
        for stream in report.streams:
            kind = _kind(stream)
            is_new = self._advice.get(stream.key) != kind
            if is_new or now_s - self._said_s[stream.key] >= STATUS_EVERY_S:
                lines.append(stream_line(stream))
                self._said_s[stream.key] = now_s
                self._advice[stream.key] = kind
        for refused in report.refusals:
            if now_s - self._refused.get(refused.host, -STATUS_EVERY_S) >= STATUS_EVERY_S:
                lines.append(refusal(refused))
                self._refused[refused.host] = now_s
        return lines


def stream_line(stream: StreamReport) -> str:
    """Return everything of a stream in one line."""
    curves = "  ".join(f"{name} {value:.2f}" for name, value in stream.strongest(CURVES))
    parts = [title(stream), arrival(stream), losses(stream), advice(stream), curves]
    return " | ".join(part for part in parts if part)


def _kind(stream: StreamReport) -> str:
    """Return what of a stream deserves a line of its own when it changes."""
    return f"{stream.is_silent} {stream.note} {len(stream.senders)}"
