"""Template vertebrae from a folder of surface meshes, one sub-folder per source.

Known sources: ``RemusR9`` (L1 to L5, BSD-3-Clause), ``aclouthier`` (mean L2 to L5, MIT), ``whynpc9`` (C3 to L5,
CC BY-SA 4.0, used only when it is named). Reading meshes needs the library trimesh.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.errors import InputError
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.shapes import STEP, Template, template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

PERMISSIVE = ("RemusR9", "aclouthier")
_LEVEL_FACES = 0.85  # cosine of the slope up to which a face of the body counts as endplate
_TURNS = 3


def load_shapes(folder: Path, sources: Sequence[str] = PERMISSIVE) -> dict[int, tuple[Template, ...]]:
    """Templates of every level that the sources have, by its index in ``morphometry.NAMES``.

    Parameters
    ----------
    folder : holds one sub-folder per source
    sources : names of the sub-folders to use

    Raises
    ------
    InputError
        If a source is unknown or absent, trimesh is not installed, or a mesh is not a vertebra.
    """
    try:
        trimesh = import_module("trimesh")
    except ImportError as error:
        raise InputError("shapes: reading meshes needs trimesh (pip install trimesh)") from error
    bank: dict[int, tuple[Template, ...]] = {}
    for source in sources:
        if source not in _READERS:
            raise InputError(f"shapes: source {source!r}, expected one of {', '.join(_READERS)}")
        if not (Path(folder) / source).is_dir():
            raise InputError(f"shapes: no folder {source} in {Path(folder).name}")
        for level, mesh in _READERS[source](Path(folder) / source, trimesh):
            index = sizes.NAMES.index(level)
            bank[index] = (*bank.get(index, ()), template(_upright_voxels(mesh, trimesh), f"{source} {level}"))
    return bank


def _remus(folder: Path, trimesh: Any) -> Iterator[tuple[str, Any]]:
    """Metres, x forward, y left, z up."""
    for n in range(1, 6):
        mesh = trimesh.load_mesh(folder / "RB" / f"L{n}_Schrumpfverpacken.obj")
        mesh.merge_vertices()
        yield f"L{n}", _placed(mesh, mesh.vertices[:, [1, 0, 2]] * 1000, trimesh)


def _clouthier(folder: Path, trimesh: Any) -> Iterator[tuple[str, Any]]:
    """Millimetres, x forward, y lateral, z up; four bones in one table, from L2 down."""
    points = np.loadtxt(folder / "meanMesh_vertices.csv", delimiter=",")
    faces = np.loadtxt(folder / "meanMesh_faces.csv", delimiter=",", dtype=int) - 1
    bones = trimesh.Trimesh(points, faces).split(only_watertight=False)
    for n, mesh in enumerate(sorted(bones, key=lambda m: -m.centroid[2]), start=2):
        yield f"L{n}", _placed(mesh, mesh.vertices[:, [1, 0, 2]], trimesh)


def _open3d(folder: Path, trimesh: Any) -> Iterator[tuple[str, Any]]:
    """Millimetres, x lateral, y forward, z up."""
    for level in sizes.NAMES[sizes.C3 : sizes.S1]:
        mesh = trimesh.load_mesh(folder / "ply_mm_RAS" / f"vert_{level}.ply")
        mesh.merge_vertices()
        yield level, _placed(mesh, mesh.vertices, trimesh)


_READERS: dict[str, Callable[[Path, Any], Iterator[tuple[str, Any]]]] = {
    "RemusR9": _remus,
    "aclouthier": _clouthier,
    "whynpc9": _open3d,
}


def _placed(mesh: Any, vertices: NDArray[np.floating], trimesh: Any) -> Any:
    """The mesh with vertices as (x, f, d): left, forward and down, mm, around its centroid."""
    points = np.asarray(vertices, dtype=np.float64) * [1, 1, -1]
    return trimesh.Trimesh(points - points.mean(axis=0), mesh.faces)


def _upright_voxels(mesh: Any, trimesh: Any) -> NDArray[np.bool_]:
    """Whole vertebra on a grid (x, f, d) symmetric about its midline, its endplates level with the axial layers."""
    for _ in range(_TURNS):
        angle = _slope_of_endplates(mesh)
        turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
        mesh = trimesh.Trimesh(np.asarray(mesh.vertices) @ turn.T, mesh.faces)
    grid = mesh.voxelized(STEP).fill()
    occupied = np.pad(np.asarray(grid.matrix, dtype=bool), 12)
    first = -float(grid.transform[0, 3]) / STEP + 12  # index of x = 0
    shift = round(2 * first - (occupied.shape[0] - 1))
    return np.pad(occupied, ((max(-shift, 0), max(shift, 0)), (0, 0), (0, 0)))


def _slope_of_endplates(mesh: Any) -> float:
    """Turn in radians, in the plane (f, d), that makes the mean endplate of the front third level."""
    centres, normals = np.asarray(mesh.triangles_center), np.asarray(mesh.face_normals)
    low, high = mesh.bounds[:, 1]
    flat = (centres[:, 1] > high - 0.33 * (high - low)) & (np.abs(normals[:, 2]) > _LEVEL_FACES)
    weight = np.asarray(mesh.area_faces)[flat]
    signed = normals[flat] * np.sign(normals[flat][:, 2:]) * weight[:, None]
    mean = signed.sum(axis=0)
    return float(np.arctan2(mean[1], mean[2]))
