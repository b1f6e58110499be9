"""What a face does while it has no words: the `rest` part of a subject in the config."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bridge.face.alive.settling import DECAY_S, HOLD_S, Policies, Policy, Rest

MAX_HOLD_MS = MAX_DECAY_MS = 60_000.0


def _named(value: Any) -> Any:
    """Read `hold` as `{policy: hold}`."""
    return {"policy": value} if isinstance(value, str) else value


class PolicySpec(BaseModel):
    """How a face rests; it stays for `hold_ms`, and falls with the time constant `decay_ms`.

    What is not said is as `Policy` has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Rest
    hold_ms: float = Field(default=1e3 * HOLD_S, ge=0.0, le=MAX_HOLD_MS, allow_inf_nan=False)
    decay_ms: float = Field(default=1e3 * DECAY_S, gt=0.0, le=MAX_DECAY_MS, allow_inf_nan=False)

    @property
    def told(self) -> Policy:
        """What the face is told."""
        return Policy(self.policy, hold_s=1e-3 * self.hold_ms, decay_s=1e-3 * self.decay_ms)


def _usual(situation: str) -> Any:
    return Field(default_factory=lambda: PolicySpec(policy=getattr(Policies(), situation).rest))


class RestSpec(BaseModel):
    """What a face does in silence, without input, and while it is paused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    silence: Annotated[PolicySpec, BeforeValidator(_named)] = _usual("silence")
    lost: Annotated[PolicySpec, BeforeValidator(_named)] = _usual("lost")
    pause: Annotated[PolicySpec, BeforeValidator(_named)] = _usual("pause")

    @property
    def policies(self) -> Policies:
        """What the face is told."""
        return Policies(silence=self.silence.told, lost=self.lost.told, pause=self.pause.told)
