"""Tiny data sets in the layouts of ICT-FaceKit and MakeHuman."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def ball(centre: tuple[float, float, float], radius: float) -> tuple[np.ndarray, list[list[int]]]:
    """Return the points of a ball whose pole looks along +Z, and its faces of four."""
    rings, around = 12, 16
    theta = np.linspace(0.02, np.pi - 0.02, rings)
    phi = np.linspace(0, 2 * np.pi, around, endpoint=False)
    t, p = (each.ravel() for each in np.meshgrid(theta, phi, indexing="ij"))
    points = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], axis=1)
    faces = [
        [r * around + c, (r + 1) * around + c, (r + 1) * around + (c + 1) % around,
         r * around + (c + 1) % around]
        for r in range(rings - 1) for c in range(around)
    ]  # fmt: skip
    return points * radius + centre, faces


class Mesh:
    """Named pieces, one behind the other, as an OBJ file has them."""

    def __init__(self, naming: str) -> None:
        self.naming = naming
        self.points = np.zeros((0, 3))
        self.faces: list[str] = []

    def add(self, name: str, centre: tuple[float, float, float], radius: float) -> slice:
        points, faces = ball(centre, radius)
        start = len(self.points)
        self.points = np.vstack([self.points, points])
        self.faces.append(f"{self.naming} {name}")
        self.faces += [f"f {' '.join(f'{start + i + 1}/1' for i in face)}" for face in faces]
        return slice(start, len(self.points))

    def text(self, moved: np.ndarray | float = 0.0) -> str:
        lines = [f"v {x:.15f} {y:.15f} {z:.15f}" for x, y, z in self.points + moved]
        return "\n".join(["mtllib some.mtl", *lines, "vt 0.5 0.5", *self.faces, ""])


def ict_facekit(folder: Path) -> Path:
    """Write a checkout with four shapes, two of which are split; return its folder."""
    mesh = Mesh("usemtl")
    face = mesh.add("M_Face", (0.0, 0.0, 5.0), 6.0)
    mesh.add("M_BackHead", (0.0, 0.0, 0.0), 8.0)
    mesh.add("M_GumsTongue", (0.0, -3.0, 5.0), 2.0)
    mesh.add("M_Teeth", (0.0, -3.0, 6.0), 2.0)
    mesh.add("M_ScleraRight", (-3.0, 3.5, 7.8), 1.5)
    mesh.add("M_ScleraLeft", (3.0, 3.5, 7.8), 1.5)
    mesh.add("M_LacrimalFluid", (3.0, 3.5, 9.0), 0.2)
    meshes = folder / "FaceXModel"
    meshes.mkdir(parents=True)
    (meshes / "generic_neutral_mesh.obj").write_text(mesh.text())
    moves = {
        "jawOpen": [0.0, -4.0, 0.0],
        "browInnerUp_L": [0.5, 1.0, 0.0],
        "browInnerUp_R": [-0.5, 1.0, 0.0],
        "eyeBlink_L": [0.0, -1.0, 0.0],
        "mouthRollLower": [0.0, 0.1, -0.1],
        "PupilDilate_L": [0.1, 0.0, 0.0],
        "identity000": [3.0, 3.0, 3.0],
    }
    for name, move in moves.items():
        moved = np.zeros_like(mesh.points)
        moved[face] = move
        (meshes / f"{name}.obj").write_text(mesh.text(moved))
    (meshes / "vertex_indices.json").write_text('{"expressions": []}')
    return folder


def makehuman(folder: Path) -> tuple[Path, Path]:
    """Write a checkout and an archive of ARKit targets; return the folder and the archive."""
    mesh = Mesh("g")
    face = mesh.add("body", (0.0, 7.0, 0.5), 1.0)
    mesh.add("body", (0.0, 2.0, 0.0), 3.0)
    mesh.add("helper-tongue", (0.0, 6.6, 1.0), 0.2)
    mesh.add("helper-upper-teeth", (0.0, 6.7, 1.0), 0.3)
    mesh.add("helper-lower-teeth", (0.0, 6.5, 1.0), 0.3)
    mesh.add("helper-r-eye", (-0.3, 7.3, 1.2), 0.15)
    mesh.add("helper-l-eye", (0.3, 7.3, 1.2), 0.15)
    mesh.add("helper-skirt", (0.0, 0.0, 0.0), 4.0)
    data = folder / "makehuman" / "data"
    (data / "3dobjs").mkdir(parents=True)
    (data / "3dobjs" / "base.obj").write_text(mesh.text())
    macros = data / "targets" / "macrodetails"
    macros.mkdir(parents=True)
    for number, people in enumerate(("caucasian", "asian", "african"), start=1):
        lines = [f"{point} .{number} 0 0" for point in range(face.start, face.stop)]
        (macros / f"{people}-female-young.target").write_text("\n".join(["# people", "", *lines]))
    archive = folder / "talkinghead-targets.zip"
    moved = "\n".join(f"{point} .1 -.4 0" for point in range(face.start, face.stop))
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("jawOpen", "tongueOut", "eyeBlinkLeft", "viseme_aa"):
            file.writestr(f"{name}.target", f"# made for a test\n{moved}\n")
        file.writestr("viseme_sil.target", "")
    return folder, archive
