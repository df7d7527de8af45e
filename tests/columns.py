"""A column of bodies, discs, canal and sacrum with known truth: analytic in patient coordinates, then voxelised.

Independent of the package's own phantom. Any place in the patient can be asked for its class and its vertebra, so the
same spine can be put on any grid, and a part of it can be moved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.series import Contrast, Plane, Series

BODY, POSTERIOR, DISC, SAC, CORD, SACRUM = 1, 2, 3, 4, 5, 6

LUMBAR = ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")
CERVICAL = ("C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2", "T3")


def height_of(name: str) -> float:
    """Usual body height in mm."""
    region, number = name[0], int(name[1:])
    first, step = {"C": (13.0, 0.2), "T": (16.5, 0.75), "L": (26.5, 0.3), "S": (26.0, 0.0)}[region]
    return first + step * number


@dataclass
class TrueColumn:
    """Bodies ``names`` head to foot with ``heights`` mm; S1, when last, is followed by the rest of the sacrum."""

    names: tuple[str, ...]
    heights: dict[str, float] = field(default_factory=dict)
    lean_deg: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        body = [self.heights.get(n, height_of(n)) for n in self.names]
        disc = [0.27 * height_of(n) for n in self.names]
        ends, at = [], 0.0
        for h, d in zip(body, disc, strict=True):
            ends.append((at, at + h))
            at += h + d
        self.spans = ends
        sacral = self.names[-1] == "S1"
        self.length = at + (60.0 if sacral else 0.0) - (disc[-1] if not sacral else disc[-1] - 1.0)
        self.sacrum_from = ends[-1][1] if sacral else np.inf
        s = np.arange(-40.0, self.length + 30.0, 0.5)
        lumbar = (-9.0, -11.0, -12.0, -10.0, -4.0, 3.0, 26.0, 95.0, 100.0)  # of a supine person
        angles = self.lean_deg or (lumbar if sacral else (4.0, 0.0, 2.0, 8.0, 14.0))
        knots = np.linspace(0, self.length, len(angles))
        theta = np.radians(np.interp(s, knots, angles))
        y, z = np.cumsum(np.sin(theta)) * 0.5, -np.cumsum(np.cos(theta)) * 0.5
        x = 4.0 * np.sin(s / 90.0)
        self.nodes = np.stack([x, y, z], axis=1)
        self.nodes -= self.nodes[(s >= 0) & (s <= self.length)].mean(axis=0)
        self.s, self.theta = s, theta
        self.tree = cKDTree(self.nodes)

    def centre(self, name):
        """Point in the middle of a body, LPS mm."""
        middle = np.mean(self.spans[self.names.index(name)])
        return self.nodes[np.argmin(np.abs(self.s - middle))]

    def places(self, points):
        """(along, left, ahead) of patient points."""
        shape = points.shape[:-1]
        _, n = self.tree.query(points.reshape(-1, 3))
        off = points.reshape(-1, 3) - self.nodes[n]
        sin, cos = np.sin(self.theta[n]), np.cos(self.theta[n])
        along = self.s[n] + off[:, 1] * sin - off[:, 2] * cos
        ahead = -(off[:, 1] * cos + off[:, 2] * sin)
        return along.reshape(shape), off[:, 0].reshape(shape), ahead.reshape(shape)

    def classes_at(self, points):
        """(classes, vertebra): semantic class and 1-based number of the body at patient points."""
        along, left, ahead = self.places(points)
        size = np.interp(along, [0.0, max(self.length, 1.0)], [13.0, 17.0] if self.names[0][0] != "C" else [8.5, 11.0])
        if np.isfinite(self.sacrum_from):  # S1 tapers towards S2, as it does in people
            top, bottom = self.spans[-1]
            size = np.where(along >= top, size * np.interp(along, [top, bottom], [1.1, 0.8]), size)
        oval = (ahead / size) ** 2 + (left / (1.35 * size)) ** 4 <= 1
        classes = np.zeros(points.shape[:-1], dtype=np.uint8)
        owner = np.zeros_like(classes)
        classes[
            (along > -30)
            & (along < self.length - 45 * np.isfinite(self.sacrum_from))
            & (ahead < -size - 2)
            & (ahead > -size - 15)
            & (np.abs(left) < 9)
        ] = SAC
        for n, (a, b) in enumerate(self.spans, start=1):
            inside = (along >= a) & (along < b) & oval
            classes[inside], owner[inside] = BODY, n
            arch = (along >= a + 8) & (along < b + 6) & (ahead < -size - 16) & (ahead > -size - 38) & (np.abs(left) < 6)
            classes[arch & (along < self.sacrum_from - 20)] = POSTERIOR
        for (_, a), (b, _) in pairwise(self.spans):
            classes[(along >= a) & (along < b) & oval] = DISC
        below = (along >= self.sacrum_from) & (along < self.length) & (np.abs(ahead) < 0.8 * size) & (np.abs(left) < 30)
        classes[below] = SACRUM
        return classes, owner

    def grid(self, spacing=(4.4, 1.4, 1.5), turn_deg=(6.0, 9.0, 5.0), margin_mm=25.0, half_width_mm=36.0) -> Geometry:
        """Oblique anisotropic sagittal slices that cover the column."""
        a, b, c = np.radians(turn_deg)
        about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        axes = about_z @ about_y @ about_x @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])  # left, down, back
        inside = self.nodes[(self.s >= 0) & (self.s <= self.length)] @ axes
        low = inside.min(axis=0) - np.array([half_width_mm, margin_mm, 32.0])
        high = inside.max(axis=0) + np.array([half_width_mm, margin_mm, 58.0])
        shape = np.ceil((high - low) / spacing).astype(int) + 1
        return Geometry(tuple(shape), spacing, tuple(axes @ low), tuple(axes.ravel()), "1.2.840.1")

    def on(self, geometry: Geometry):
        """(classes, vertebra) voxels of a grid."""
        index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
        return self.classes_at(geometry.to_patient(index))


def rearranged(voxels, geometry: Geometry, order, flips):
    """The same volume with its array axes permuted and some reversed."""
    out = np.transpose(voxels, order)
    axes, origin = geometry.axes[:, order].copy(), np.asarray(geometry.origin)
    spacing = tuple(geometry.spacing[a] for a in order)
    for a, flip in enumerate(flips):
        if flip:
            origin = origin + axes[:, a] * spacing[a] * (out.shape[a] - 1)
            axes[:, a] *= -1
            out = np.flip(out, a)
    grid = Geometry(out.shape, spacing, tuple(origin), tuple(axes.ravel()), geometry.frame_of_reference_uid)
    return np.ascontiguousarray(out), grid


BRIGHTNESS = np.array([90, 420, 300, 500, 1500, 700, 420])  # of the classes in a T2w image


def t2w_image(classes: np.ndarray, grid: Geometry, study_uid: str, seed: int) -> Image:
    """Sagittal T2w image of a column's classes on a grid, with noise of its own; series 4 of its study."""
    noise = np.random.default_rng(seed).normal(0, 12, grid.shape)
    voxels = np.clip(BRIGHTNESS[classes] + noise, 1, 3000).astype(np.uint16)
    series = Series(
        series_uid=f"{study_uid}.4",
        study_uid=study_uid,
        frame_of_reference_uid=grid.frame_of_reference_uid,
        number=4,
        contrast=Contrast.T2W,
        plane=Plane.SAGITTAL,
        shape=grid.shape,
        spacing=grid.spacing,
        repetition_time_ms=3600,
        echo_time_ms=105,
        field_strength_t=1.5,
    )
    return Image(voxels=voxels, geometry=grid, series=series)
