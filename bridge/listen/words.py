"""What is said of streams, in the same words in a terminal and in plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.monitor.subject_view import milliseconds

if TYPE_CHECKING:
    from bridge.listen.stream import StreamReport
    from bridge.listen.streams import Refusal


def title(stream: StreamReport) -> str:
    """Return who sends what to where."""
    key = stream.key
    subject = key.subject or "(no subject)"
    ports = ", ".join(map(str, stream.senders))
    return f"{subject}  {key.protocol}  from {key.host}:{ports} to port {key.port}"


def arrival(stream: StreamReport) -> str:
    """Return the rate, how even it is, and where the sender is in time."""
    parts = [f"{stream.rate_hz:.1f} frames/s", f"jitter {milliseconds(stream.jitter)}"]
    if stream.timecode:
        parts.append(f"timecode {stream.timecode}")
    parts.append(f"{len(stream.curves)} curves")
    if stream.datagrams > stream.frames:
        parts.append(f"{stream.datagrams / max(stream.frames, 1):.1f} datagrams a frame")
    return "  ".join(parts)


def losses(stream: StreamReport) -> str:
    """Return what did not come as it should; empty when all is well."""
    counts = {
        "lost": stream.lost or 0,
        "late": stream.late,
        "repeated": stream.repeated,
        "restarts": stream.restarts,
    }
    return "  ".join(f"{count} {name}" for name, count in counts.items() if count)


def advice(stream: StreamReport) -> str:
    """Return what a user should know of the stream; empty when there is nothing."""
    parts = [stream.note] if stream.note else []
    if stream.is_silent:
        parts.append(f"silent for {stream.silent_s:.0f} s")
    if len(stream.senders) > 1:
        parts.append(f"{len(stream.senders)} senders, of which a receiver shows a mixture")
    return ", ".join(parts)


def refusal(refused: Refusal) -> str:
    """Return what came that is no stream."""
    return f"{refused.count} refused from {refused.host} to port {refused.port}: {refused.reason}"


def nothing_heard(host: str, ports: tuple[int, ...]) -> str:
    """Return what to do while nothing arrives."""
    places = ", ".join(map(str, ports))
    return (
        f"nothing has arrived on {host} at port {places}: check the sender's target, "
        "and that the firewall lets UDP in there"
    )
