"""What a VRM file adds to glTF: expressions, bones, and in VRM 0 another front.

After the specifications of VRM 0.x (extension `VRM`) and VRM 1.0 (`VRMC_vrm`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.heads.gltf import Index, Items, item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.heads.gltf import Gltf


_BONES = {"head": "head", "leftEye": "eyeLeft", "rightEye": "eyeRight"}


class Expression(NamedTuple):
    """A named face; `binds` are the mesh and the target of each shape in it."""

    name: str
    binds: tuple[tuple[int, int], ...]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Bind(_Entry):
    mesh: Index | None = None
    node: Index | None = None
    index: Index


class _Group(_Entry):
    name: str = ""
    presetName: str = ""  # noqa: N815
    binds: tuple[_Bind, ...] = Items


class _Master(_Entry):
    blendShapeGroups: tuple[_Group, ...] = Items  # noqa: N815


class _Bone0(_Entry):
    bone: str
    node: Index


class _Humanoid0(_Entry):
    humanBones: tuple[_Bone0, ...] = Items  # noqa: N815


class _Vrm0(_Entry):
    blendShapeMaster: _Master = _Master()  # noqa: N815
    humanoid: _Humanoid0 = _Humanoid0()


class _Face(_Entry):
    morphTargetBinds: tuple[_Bind, ...] = Items  # noqa: N815


class _Expressions(_Entry):
    preset: dict[str, _Face] = Field(default_factory=dict)
    custom: dict[str, _Face] = Field(default_factory=dict)


class _Bone1(_Entry):
    node: Index


class _Humanoid1(_Entry):
    humanBones: dict[str, _Bone1] = Field(default_factory=dict)  # noqa: N815


class _Vrm1(_Entry):
    expressions: _Expressions = _Expressions()
    humanoid: _Humanoid1 = _Humanoid1()


def expressions(gltf: Gltf) -> tuple[Expression, ...]:
    """Return the expressions of a VRM file, none for another; ValueError for damaged ones."""
    return tuple(_expressions(gltf))


def role_bones(gltf: Gltf) -> dict[str, int]:
    """Return the nodes of a VRM's bones that turn: `head`, `eyeLeft` and `eyeRight`."""
    old, new = _read(gltf)
    bones = [(bone.bone, bone.node) for bone in old.humanoid.humanBones]
    bones += [(name, bone.node) for name, bone in new.humanoid.humanBones.items()]
    return {_BONES[name]: node for name, node in bones if name in _BONES}


def faces_backwards(gltf: Gltf) -> bool:
    """Return whether the face looks along -Z, as in VRM 0."""
    return "VRM" in gltf.extensions and "VRMC_vrm" not in gltf.extensions


def _read(gltf: Gltf) -> tuple[_Vrm0, _Vrm1]:
    try:
        old = _Vrm0.model_validate(gltf.extensions.get("VRM", {}))
        new = _Vrm1.model_validate(gltf.extensions.get("VRMC_vrm", {}))
    except ValidationError as error:
        raise ValueError(f"the VRM extension has {error.error_count()} faults") from None
    return old, new


def _expressions(gltf: Gltf) -> Iterator[Expression]:
    old, new = _read(gltf)
    for group in old.blendShapeMaster.blendShapeGroups:
        name = group.name or group.presetName
        binds = [(bind.mesh, bind.index) for bind in group.binds if bind.mesh is not None]
        yield Expression(name, tuple(binds))
    for name, face in {**new.expressions.preset, **new.expressions.custom}.items():
        targets = []
        for bind in face.morphTargetBinds:
            if bind.node is not None:
                mesh = item(gltf.nodes, bind.node, "node").mesh
                targets += [(mesh, bind.index)] if mesh is not None else []
        yield Expression(name, tuple(targets))
