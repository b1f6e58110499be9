"""Pictures of a head under ARKit curves, rasterised and shaded with NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads.mesh import EYES, SHAPES, arkit_names, rotation_of
from cstalk_bridge.rig.curves import ARKIT_CURVES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.heads.mesh import Head

    Floats = NDArray[np.float32]

    Places = NDArray[np.int64]

    Picture = NDArray[np.uint8]


NOTHING = -1
CANDIDATES_AT_ONCE = 1_000_000
"""Pixels in the boxes of triangles that are looked at together; bounds the memory."""


def rasterize(
    points: Floats, triangles: NDArray[np.integer], width: int, height: int
) -> tuple[Places, Floats]:
    """Return the nearest triangle of each pixel, and its barycentric coordinates there.

    `points` is float32 [points, 3]: pixels to the right and down, and depth, of which the greater
    is nearer. Triangles that run clockwise to the eye, or have no size, are not seen. Returns
    int64 [height, width], `NOTHING` where no triangle is, and float32 [height, width, 3].
    """
    owner = np.full(width * height, NOTHING, dtype=np.int64)
    where = np.zeros((width * height, 3), dtype=np.float32)
    nearest = np.full(width * height, -np.inf, dtype=np.float32)
    corners = points[triangles]
    places, start, size = _boxes(corners, width, height)
    ends = np.cumsum(size.prod(1))
    first = 0
    while first < len(places):
        done = ends[first - 1] if first else 0
        last = int(np.searchsorted(ends, done + CANDIDATES_AT_ONCE, side="right"))
        some = slice(first, max(last, first + 1))
        pixels, depth, place, barycentric = _inside(
            corners[places[some]], start[some], size[some], width
        )
        order = np.argsort(depth, kind="stable")  # of one pixel the nearest is written last
        order = order[depth[order] > nearest[pixels[order]]]
        at = pixels[order]
        nearest[at], owner[at], where[at] = (
            depth[order],
            places[some][place[order]],
            barycentric[order],
        )
        first = some.stop
    return owner.reshape(height, width), where.reshape(height, width, 3)


def _boxes(corners: Floats, width: int, height: int) -> tuple[Places, Places, Places]:
    """Return the triangles that may be seen, and start and size of their boxes in the picture."""
    flat = corners[:, :, :2]
    one, two = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    # Down is positive: what runs counter-clockwise to the eye has a negative area here.
    towards = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] < 0
    flat = flat[places := np.flatnonzero(towards)]
    # Thrice faster than `min` along so short an axis.
    low = np.minimum(np.minimum(flat[:, 0], flat[:, 1]), flat[:, 2])
    high = np.maximum(np.maximum(flat[:, 0], flat[:, 1]), flat[:, 2])
    edge = (width, height)
    start = np.clip(np.ceil(low - 0.5), 0, edge).astype(np.int64)
    size = np.clip(np.floor(high - 0.5) + 1, 0, edge).astype(np.int64) - start
    some = (size[:, 0] > 0) & (size[:, 1] > 0)
    return places[some], start[some], size[some]


def _inside(
    corners: Floats, start: Places, size: Places, width: int
) -> tuple[Places, Floats, Places, Floats]:
    """Return pixel, depth, triangle and barycentrics of every pixel's centre in a triangle."""
    counts = size.prod(1)
    place = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(number, size[place, 0])
    a, b, c = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]
    x = (column + 0.5).astype(np.float32) + (start[:, 0] - a[:, 0]).astype(np.float32)[place]
    y = (row + 0.5).astype(np.float32) + (start[:, 1] - a[:, 1]).astype(np.float32)[place]
    of_b = x * (c[:, 1] / area)[place] - y * (c[:, 0] / area)[place]
    of_c = y * (b[:, 0] / area)[place] - x * (b[:, 1] / area)[place]
    hit = np.flatnonzero((of_b >= 0) & (of_c >= 0) & (of_b + of_c <= 1))
    place, of_b, of_c = place[hit], of_b[hit], of_c[hit]
    depth = a[place, 2] + of_b * b[place, 2] + of_c * c[place, 2]
    pixels = (start[place, 1] + row[hit]) * width + start[place, 0] + column[hit]
    return pixels, depth, place, np.stack((1 - of_b - of_c, of_b, of_c), 1)


OVERSAMPLING = 2
PAPER = (0.028, 0.034, 0.044)
"""The colour behind the head, linear."""
KEY, FILL = (-0.45, 0.55, 0.70), (0.7, 0.1, 0.6)
"""Where the two lights are, from the head as the picture shows it."""
KEY_LIGHT, FILL_LIGHT, AMBIENT = 0.85, 0.28, 0.30
GLOSS, SHININESS = 0.10, 24
SHADE_M, DARKEST = 0.045, 0.10
"""Depth at which the inside of the mouth is darkest, and how much light is left there."""
HALF_MOUTH_M = 0.03
LOOKED_FROM_DEG = ((-90, 0), (-45, 0), (0, 0), (45, 0), (90, 0), (0, 40), (0, -40))
REST_PIXELS = 700


@dataclass(frozen=True, slots=True)
class View:
    """What a picture shows: a window of the head, in metres, seen from `yaw_deg`.

    0 is the front, 90 the character's left side. `centre` is the point in the picture's middle.
    """

    centre: tuple[float, float, float]
    width_m: float
    height_m: float
    yaw_deg: float = 0.0

    def turned(self, yaw_deg: float) -> View:
        """Return the same window from another side."""
        return View(self.centre, self.width_m, self.height_m, yaw_deg)


class Portrait:
    """Draws one head."""

    def __init__(self, head: Head, paint: Mapping[str, Floats] | None = None) -> None:
        """`paint` has, by part, colours instead of its own, linear [vertices, 3]."""
        self.name = head.name
        parts = head.parts
        starts = np.cumsum([0, *(len(part.positions) for part in parts)])
        self._rest = np.concatenate(
            [part.positions + np.array(part.pivot, np.float32) for part in parts]
        )
        self._triangles = np.concatenate(
            [part.triangles + start for part, start in zip(parts, starts[:-1], strict=True)]
        )
        painted = paint or {}
        self._colours = np.concatenate([painted.get(p.name, p.colours) for p in parts])
        self._deltas = np.zeros((SHAPES, *self._rest.shape), np.float32)
        for place, name in enumerate(arkit_names()):
            for part, start in zip(parts, starts[:-1], strict=True):
                if name in part.shapes:
                    end = start + len(part.positions)
                    self._deltas[place, start:end] = part.shapes[name].positions
        self._eyes = {
            part.name: (slice(start, start + len(part.positions)), np.array(part.pivot))
            for part, start in zip(parts, starts[:-1], strict=True)
            if part.name in EYES
        }
        self._gloss = np.concatenate(
            [np.full(len(part.positions), 1.0 - part.roughness) for part in parts]
        )
        self._inside = self._hidden()
        mouth = self._rest[self._inside & (np.abs(self._rest[:, 0]) < HALF_MOUTH_M)]
        self._front_m = float((mouth if len(mouth) else self._rest)[:, 2].max())

    def draw(
        self,
        scores: Floats,
        view: View,
        width: int,
        height: int,
        paper: Sequence[float] = PAPER,
    ) -> Picture:
        """Return a picture uint8 [height, width, 3] of the face under `scores`, before `paper`.

        `scores` are ARKit's shapes [52], or all its curves [61]: then the head turns, too. `paper`
        is a linear colour.
        """
        at = self.posed(scores[:SHAPES])
        wide, high = OVERSAMPLING * width, OVERSAMPLING * height
        screen, turned = self._seen(_with_head(at, scores), view, wide, high)
        owner, where = rasterize(screen, self._triangles, wide, high)
        light = np.empty((high, wide, 3), np.float32)
        light[:] = paper
        hit = owner != NOTHING
        light[hit] = self._lit(at, turned, owner[hit], where[hit])
        shape = (height, OVERSAMPLING, width, OVERSAMPLING, 3)
        mean = light.reshape(shape).mean((1, 3))
        return (255 * _encoded(mean) + 0.5).astype(np.uint8)

    def posed(self, scores: Floats) -> Floats:
        """Return all vertices in metres under `scores` [52], eyes turned, [vertices, 3]."""
        flat = self._deltas.reshape(SHAPES, -1)
        moving = np.flatnonzero(scores)
        at = self._rest + (scores[moving] @ flat[moving]).reshape(-1, 3)
        curves = np.zeros((1, len(ARKIT_CURVES)), np.float32)
        curves[0, :SHAPES] = scores
        for role, (rows, pivot) in self._eyes.items():
            at[rows] = (at[rows] - pivot) @ _matrix(rotation_of(role, curves)[0]).T + pivot
        return np.asarray(at, dtype=np.float32)

    def _seen(self, at: Floats, view: View, wide: int, high: int) -> tuple[Floats, Floats]:
        """Return pixels and depth [vertices, 3], and the turned vertices in metres."""
        turned = (at - np.array(view.centre, np.float32)) @ _yaw(view.yaw_deg).T
        scale = min(wide / view.width_m, high / view.height_m)
        screen = np.stack(
            [wide / 2 + scale * turned[:, 0], high / 2 - scale * turned[:, 1], turned[:, 2]], 1
        )
        return screen.astype(np.float32), turned

    def _lit(self, at: Floats, turned: Floats, owner: NDArray[np.int64], where: Floats) -> Floats:
        corners = self._triangles[owner]
        normals = _normals(turned, self._triangles)
        normal = _unit((normals[corners] * where[..., None]).sum(1))
        colour = (self._colours[corners] * where[..., None]).sum(1)
        key, fill = (np.array(light) / np.linalg.norm(light) for light in (KEY, FILL))
        light = KEY_LIGHT * np.clip(normal @ key * 0.85 + 0.15, 0, None)
        light += FILL_LIGHT * np.clip(normal @ fill, 0, None)
        light += AMBIENT * (0.75 + 0.25 * normal[:, 1])
        half = _unit((key + np.array([0.0, 0.0, 1.0]))[None])[0]
        gloss = (self._gloss[corners] * where).sum(1)
        shine = GLOSS * gloss * np.clip(normal @ half, 0, None) ** SHININESS
        depth_m = self._front_m - (at[corners, 2] * where).sum(1)
        share = (self._inside[corners] * where).sum(1)
        shade = 1 - share * (1 - np.clip(1 - depth_m / SHADE_M, DARKEST, 1.0))
        return np.asarray((colour * light[:, None] + shine[:, None]) * shade[:, None], np.float32)

    def _hidden(self) -> NDArray[np.bool_]:
        """Return which vertices no view of the head at rest shows, [vertices]."""
        shown = np.zeros(len(self._rest), np.bool_)
        low, high = self._rest.min(0), self._rest.max(0)
        size = float((high - low).max()) * 1.1
        centre = (low + high) / 2
        for yaw_deg, pitch_deg in LOOKED_FROM_DEG:
            turned = (self._rest - centre) @ (_pitch(pitch_deg) @ _yaw(yaw_deg)).T
            scale = REST_PIXELS / size
            middle = REST_PIXELS / 2
            screen = np.stack(
                [middle + scale * turned[:, 0], middle - scale * turned[:, 1], turned[:, 2]], 1
            ).astype(np.float32)
            owner, _ = rasterize(screen, self._triangles, REST_PIXELS, REST_PIXELS)
            shown[self._triangles[np.unique(owner[owner != NOTHING])]] = True
        return ~shown


def _with_head(at: Floats, scores: Floats) -> Floats:
    """Return vertices [vertices, 3] turned as the head is by `scores`, about the origin."""
    if len(scores) == SHAPES:
        return at
    rotation = _matrix(rotation_of("head", scores[None])[0])
    return np.asarray(at @ rotation.T, dtype=np.float32)


def _normals(at: Floats, triangles: NDArray[np.integer]) -> Floats:
    """Return the unit normals of all vertices, [vertices, 3]."""
    a, b, c = at[triangles].transpose(1, 0, 2)
    across = np.cross(b - a, c - a)
    corners, total = triangles.ravel(), np.zeros_like(at)
    for axis in range(3):
        weights = np.repeat(across[:, axis], 3)
        total[:, axis] = np.bincount(corners, weights, len(at))
    return _unit(total)


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def _yaw(degrees: float) -> Floats:
    """Return the rotation that shows the character's left side at 90, [3, 3]."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)


def _pitch(degrees: float) -> Floats:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]], np.float32)


def _matrix(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation of a unit quaternion x, y, z, w, [3, 3]."""
    x, y, z, w = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _encoded(linear: Floats) -> Floats:
    """Return sRGB 0..1 of linear light (IEC 61966-2-1)."""
    light = np.clip(linear, 0.0, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
