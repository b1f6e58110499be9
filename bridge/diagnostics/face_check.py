"""Checks what makes a face: rig maps, weights, the device of the network, and its speed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.diagnostics.checks import Finding, fault, faults_of, ok, warning
from cstalk_bridge.face.emotion import check_face_settings
from cstalk_bridge.face.networks import live_device, load_network
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.models.loading import DEFAULT_PATH
from cstalk_bridge.models.timing import HOP_S, MAX_LOOKAHEAD_MS
from cstalk_bridge.rig.load import load_rigmap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cstalk_bridge.config.schema import Config, SubjectConfig
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.rig.rigmap import RigMap


@dataclass(slots=True)
class RigMapCheck:
    """The rig maps of some subjects; one check loads them, others use what is `loaded`.

    Whether a map fits its links is seen when a frame is sent through it (`frames`).
    """

    subjects: Sequence[SubjectConfig]
    loaded: dict[str, RigMap] = field(default_factory=dict)

    def examine(self) -> Iterator[Finding]:
        """Load every rig map once."""
        users: dict[str, set[str]] = {}
        for subject in self.subjects:
            for link in subject.links:
                users.setdefault(link.rigmap, set()).add(link.protocol)
        for name, protocols in users.items():
            try:
                self.loaded[name] = rigmap = load_rigmap(name)
            except UserError as error:
                yield from faults_of(error, name)
                continue
            yield ok(name, f"{len(rigmap.outputs)} outputs for {', '.join(sorted(protocols))}")
            yield from (warning(each.where, each.what, each.remedy) for each in rigmap.warnings)


HOPS = 100
"""Hops that are measured: two seconds."""

HASH_CHARACTERS = 12

COMFORTABLE_SHARE = 0.75
"""Share of a hop's 20 ms up to which there is room for Unreal beside it, and for bad moments."""


@dataclass(slots=True)
class NetworkCheck:
    """The network of a config, once it could be loaded; one check loads it, another uses it."""

    config: Config
    generator: Generator | None = None

    def examine_weights(self) -> Iterator[Finding]:
        """Load the weights and say what they are, and where they run."""
        config = self.config
        path = config.weights or DEFAULT_PATH
        self.generator = generator = load_network(config.weights, live_device(config.device))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:HASH_CHARACTERS]
        licence = generator.card.get("licence", "licence unknown")
        yield ok(
            "weights",
            f"{path.name}, SHA-256 {digest}, {licence}; look-ahead {config.lookahead_ms} of "
            f"0 to {MAX_LOOKAHEAD_MS} ms; {', '.join(generator.emotions)}",
        )
        try:
            check_face_settings(generator, {each.name: each for each in config.subjects})
        except UserError as error:
            yield from (fault(each.where, each.what, each.remedy) for each in error.problems)
        yield ok("device", _device(generator, config.device))
        if generator.engine.notice:
            yield warning("device", generator.engine.notice, "install onnx and onnxruntime again")

    def examine_speed(self) -> Iterator[Finding]:
        """Step the network at the pace of live sound, for all subjects, and time each hop."""
        if self.generator is None:
            return
        from cstalk_bridge.face.networks import hop_times

        subjects = len(self.config.subjects)
        yield judge_speed(hop_times(self.generator, subjects, HOPS), subjects)


def judge_speed(hops_s: list[float], subjects: int) -> Finding:
    """Say whether a network that takes so long for each hop keeps up with live sound."""
    median_s, p99_s = np.percentile(hops_s, (50, 99)).tolist()
    hop_ms = 1e3 * HOP_S
    voices = "1 subject" if subjects == 1 else f"{subjects} subjects"
    what = (
        f"a hop of {voices} takes {1e3 * median_s:.1f} ms, p99 {1e3 * p99_s:.1f}, of the "
        f"{hop_ms:.0f} there are: {HOP_S / median_s:.1f} times real time"
    )
    if median_s >= HOP_S:
        return fault("speed", what, "close other programs, use fewer subjects, or a faster machine")
    if p99_s >= COMFORTABLE_SHARE * HOP_S:
        remedy = "close other programs; buffer_ms: auto hides what is left"
        return warning("speed", what, remedy)
    return ok("speed", what)


def _device(generator: Generator, asked: str) -> str:
    name = f"{generator.device} ({generator.engine.name})"
    if generator.device == "cuda":
        import torch

        name = f"{torch.cuda.get_device_name()}, {name}"
    if asked != "auto":
        return f"{name}, as asked"
    return f"{name}, chosen because a hop takes little there and Unreal keeps its GPU"
