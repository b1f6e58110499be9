"""Who is measured: networks in weights files, and the plain faces that they must beat."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.baselines import NETWORKS
from models.evaluation.makers import NetworkMaker
from models.evaluation.options import OFFLINE, STREAMED, RefusalError
from models.evaluation.rule_faces import LoudnessFace, PhoneRuleFace
from models.evaluation.viseme_engine import VisemeFace
from models.shipped import DEFAULT_PATH
from models.teacher import Teacher
from models.wav2vec import load_wav2vec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.evaluation.makers import Maker
    from models.evaluation.options import Request

RULE = "rule"


@dataclass(frozen=True, slots=True)
class Entrant:
    """A maker and what is said of it, as in `Run`; rules do not wait for a look-ahead."""

    maker: Maker
    way: str = OFFLINE
    kind: str = RULE
    sources: tuple[str, ...] = ()
    weights: str = ""

    @property
    def waits(self) -> bool:
        """Whether look-ahead means anything to it."""
        return self.kind != RULE


def entrants_of(request: Request) -> list[Entrant]:
    """Open what is to be measured, one network after the other, then the rules.

    A network that cannot stream is refused where nothing but streaming is asked for.
    """
    front_end = load_wav2vec(request.wav2vec) if request.wav2vec else None
    paths = tuple(dict.fromkeys(request.weights)) or (DEFAULT_PATH,)
    found = []
    for path, name in zip(paths, names_of(paths), strict=True):
        offline = NetworkMaker.open(path, name=name, front_end=front_end)
        digest = _digest(path)
        for way in request.ways:
            if way == STREAMED and not offline.can_stream and OFFLINE in request.ways:
                continue
            maker = offline.streamed() if way == STREAMED else offline
            found.append(Entrant(maker, way, maker.kind, maker.sources, digest))
    if front_end and not any(NETWORKS[entrant.kind].network is Teacher for entrant in found):
        raise RefusalError(("--wav2vec: none of the weights is a teacher's; leave it out",))
    if request.has_baselines:
        found += [Entrant(LoudnessFace()), Entrant(PhoneRuleFace())]
        with suppress(ImportError):
            found.append(Entrant(VisemeFace()))
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return a name for each weights file: its stem, after its folders where stems are equal."""
    parts = [path.absolute().with_suffix("").parts for path in paths]
    names = ["/".join(part[-1:]) for part in parts]
    for depth in range(2, max(map(len, parts)) + 1):
        names = [
            "/".join(part[-depth:]) if names.count(name) > 1 else name
            for part, name in zip(parts, names, strict=True)
        ]
    return names
