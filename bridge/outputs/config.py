"""Configuration of a link: protocol, targets, rig map and the options of its protocol.

Each protocol derives its own from `LinkConfig`, or from `ListeningConfig` where receivers connect
to this program. `parse` reads them from URLs and from a config file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cstalk_bridge.document import FieldError
from cstalk_bridge.outputs.udp import MAX_TARGETS, Target
from cstalk_bridge.system.addresses import MAX_ALLOWED, AllowedNetwork, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self


RigMapName = Annotated[str, Field(min_length=1, description="a name or path")]
"""A shipped rig map by its name, or the path of a file."""


class LinkConfig(BaseModel):
    """Where the mapped frames of a subject are sent.

    Each field that a protocol adds is an option of it: a key in a config file, and a parameter
    after the `?` of a URL. Its annotation gives the allowed values, or its description says what
    they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path_option: ClassVar[str] = ""
    """The option that the path of a URL sets; empty where a URL may have none."""

    protocol: str
    targets: tuple[Target, ...] = Field(min_length=1, max_length=MAX_TARGETS)
    rigmap: RigMapName

    @model_validator(mode="after")
    def _targets_differ(self) -> Self:
        if fault := repetition_fault(self.targets):
            raise ValueError(fault)
        return self

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """Return the parameters that a URL may have after its `?`."""
        others = {"protocol", "targets", "takes_next_port", cls.path_option}
        return tuple(name for name in cls.model_fields if name not in others)

    def __str__(self) -> str:
        return f"{self.protocol}://{','.join(map(str, self.targets))}"


def _split(value: Any) -> Any:
    """Read `a,b` as a list."""
    return value.split(",") if isinstance(value, str) else value


class ListeningConfig(LinkConfig):
    """A link whose one target is the address at which this program listens.

    This machine and those of `allow` may connect; where other machines can reach the address,
    `allow` must name some. `takes_next_port`: no port was given, so where the default one is
    another link's, the next free one is taken.
    """

    allow: Annotated[tuple[AllowedNetwork, ...], BeforeValidator(_split)] = Field(
        default=(),
        max_length=MAX_ALLOWED,
        description="a list of IP addresses and networks, as 10.0.0.5,192.168.1.0/24",
    )
    takes_next_port: bool = Field(default=False, repr=False)

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        if len(self.targets) > 1:
            raise ValueError(f"{self.protocol} names the one address at which it listens")
        (target,) = self.targets
        if not is_loopback(target.host) and not self.allow:
            what = f"{target} can be reached from other machines, and `allow` names none"
            remedy = "name those that may get faces and record, as allow=10.0.0.5 or 10.0.0.0/24"
            raise FieldError(what, remedy)
        return self


def repetition_fault(targets: Sequence[Target]) -> str | None:
    """Say which targets are named more than once; None where all differ."""
    repeated = {str(target) for target in targets if targets.count(target) > 1}
    return f"target named twice: {', '.join(sorted(repeated))}" if repeated else None


def listening(links: Iterable[LinkConfig]) -> list[ListeningConfig]:
    """Return the links at whose address this program listens."""
    return [link for link in links if isinstance(link, ListeningConfig)]
