"""NIfTI, NRRD and MetaImage volumes in: the grid is checked, the contrast comes from the file's name.

These formats keep no DICOM facts: no frame of reference, no timing, and left and right only as good as whoever
converted them. A volume without a stated orientation is refused rather than assumed. Axes are put in the order slices,
rows, columns (never flipped), so that the rest of the program sees the same as from DICOM.
"""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK
from scipy.spatial.transform import Rotation

from spinemri.convert import from_sitk, itk_geometry, reordered, reordered_grid, slices_first
from spinemri.errors import GeometryError, SeriesError
from spinemri.geometry import plausible
from spinemri.image import Image
from spinemri.series import Contrast, Plane, Series, SeriesFile, patient_key
from spinemri.volume_header import check_complete, check_nifti, check_text_header, nifti_qform, nifti_spacing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
_SOURCES = {".nii": "nifti", ".nii.gz": "nifti", ".nrrd": "nrrd", ".mha": "mha", ".mhd": "mha"}
_ITK_READERS = {"nifti": "NiftiImageIO", "nrrd": "NrrdImageIO", "mha": "MetaImageIO"}
"""ITK would choose by content, and hand a file of this suffix to any of its readers."""
_LABEL_WORDS = frozenset(
    {
        "mask",
        "msk",
        "seg",
        "dseg",
        "lab",
        "labels",
        "segmentation",
        "landmarks",
        "pred",
        "prediction",
        "gt",
    }
)
_FILLER_WORDS = frozenset({"img", "image", "vol", "volume", "mri", "mr", "anat", "sag", "sagittal", "iso", "space"})
_ENTITIES = ("acq-", "run-", "ce-", "rec-", "dir-", "echo-", "part-", "desc-")
_POST_WORDS = frozenset({"t1c", "t1gd", "t1ce", "t1post", "t1km"})
_CONTRAST_WORDS: tuple[tuple[Contrast, frozenset[str]], ...] = (
    (Contrast.STIR, frozenset({"stir", "tirm"})),
    (Contrast.T1W_POST, _POST_WORDS),
    (Contrast.T2W_FS, frozenset({"t2fs", "t2wfs"})),
    (Contrast.PDW, frozenset({"pd", "pdw"})),
    (Contrast.T2W, frozenset({"t2", "t2w"})),
    (Contrast.T1W, frozenset({"t1", "t1w"})),
    (Contrast.DIXON_WATER, frozenset({"water"})),
    (Contrast.DIXON_FAT, frozenset({"fat"})),
)
_FAT_WORDS = frozenset({"fs", "fatsat", "spair"})
_PLANES = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)
_SPACING_RTOL = 1e-2
_SAME_WAY = 0.7  # cosine between an axis by qform and by sform; less than 45 degrees apart, as after registration
_SMALL_INTEGERS = (np.uint8, np.int8, np.uint16, np.int16)


def suffix_of(path: Path) -> str:
    """The file's volume suffix, '.nii.gz' in one piece; empty when it is no volume."""
    return next((s for s in sorted(VOLUME_SUFFIXES, key=len, reverse=True) if path.name.lower().endswith(s)), "")


def is_label_file(path: Path) -> bool:
    """Whether the name says that the file holds labels, not an image."""
    return bool(_LABEL_WORDS & set(_words(path)))


def named_contrast(path: Path) -> Contrast:
    """Contrast that a file's name states, as BIDS suffix or a word such as t1, t2, stir; OTHER when none."""
    words = {part for word in _words(path) for part in re.split(r"[-. ]", word)}
    found = next((contrast for contrast, names in _CONTRAST_WORDS if words & names), Contrast.OTHER)
    if found is Contrast.T2W and words & _FAT_WORDS:
        return Contrast.T2W_FS
    if found is Contrast.T1W and words & {"ce", "gad", "gd", "post", "gadolinium"}:
        return Contrast.T1W_POST
    return found


def volume_study(path: Path, root: Path) -> tuple[str, str]:
    """Patient key and study key of a volume file: the name without its contrast, or the folder's name.

    ``17_t1.mha`` and ``17_t2.mha`` are one study; so are ``sub-01_ses-2_T1w`` and ``sub-01_ses-2_T2w``.
    """
    words = _words(path)
    entity = {kind: next((w for w in words if w.startswith(kind)), "") for kind in ("sub-", "ses-")}
    if entity["sub-"]:
        return patient_key(entity["sub-"]), f"{entity['sub-']}_{entity['ses-']}"
    contrast_words = frozenset().union(*(names for _, names in _CONTRAST_WORDS))
    dropped = contrast_words | _FAT_WORDS | _FILLER_WORDS
    kept = "_".join(w for w in words if w not in dropped and not w.startswith(_ENTITIES))
    folder = path.parent.relative_to(root).as_posix()
    return patient_key(kept or folder), f"{folder}/{kept}"


def volume_series(path: Path, root: Path, contrast: Contrast | None = None) -> Series:
    """Header facts of a volume file; a file that cannot be used gets a ``refusal``, never an error.

    Parameters
    ----------
    path : the file
    root : the scanned folder
    contrast : overrides what the name says
    """
    known = contrast or named_contrast(path)
    reason = "given by the user" if contrast else ("the file's name" if known is not Contrast.OTHER else "")
    series = Series(
        series_uid=_uid(path),
        study_uid=_uid_of(volume_study(path, root)[1].encode()),
        number=1,
        contrast=known,
        contrast_reason=reason,
        contrast_agent="given" if known is Contrast.T1W_POST else "none",
        source=_SOURCES[suffix_of(path)],
        files=(SeriesFile(path=path),),
    )
    try:
        stored = file_geometry(path)
    except SeriesError as error:
        return series.model_copy(update={"refusal": str(error)})
    grid = reordered_grid(stored, slices_first(stored))
    normal = np.abs(grid.axes[:, 0])
    axis = int(np.argmax(normal))
    facts = {
        "shape": grid.shape,
        "spacing": grid.spacing,
        "reach_mm": grid.span(2),
        "plane": _PLANES[axis],
        "obliquity_deg": round(float(np.degrees(np.arccos(min(1.0, normal[axis])))), 1),
        "refusal": _refusal(grid, known),
    }
    return series.model_copy(update=facts)


def file_geometry(path: Path) -> Geometry:
    """Grid as it lies in the file, axes (k, j, i).

    Raises
    ------
    SeriesError
        Unreadable, not three-dimensional, several components, no orientation, shear, zero or impossible spacing, far
        too large, or voxels in a file elsewhere.
    """
    source = _SOURCES[suffix_of(path)]
    if not path.is_file():
        raise SeriesError(f"{path.name}: no such file")
    check_nifti(path) if source == "nifti" else check_text_header(path)
    SimpleITK.ProcessObject.GlobalWarningDisplayOff()  # ITK would print the absolute path
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(_ITK_READERS[source])
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        fault = "its axes are sheared or a spacing is zero" if "orthonormal" in str(error) else "the header is damaged"
        raise SeriesError(f"the volume cannot be read: {fault}") from error
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
        size = " x ".join(str(n) for n in reader.GetSize())
        raise SeriesError(
            f"{size}, {reader.GetNumberOfComponents()} component(s): expected one three-dimensional image"
        )
    _check_orientation(reader, path)
    try:
        return plausible(itk_geometry(reader.GetSize(), reader.GetSpacing(), reader.GetOrigin(), reader.GetDirection()))
    except GeometryError as error:
        raise SeriesError(f"the volume's grid cannot be used: {error}") from error


def read_volume(path: Path, series: Series | None = None) -> Image:
    """Image of a NIfTI, NRRD or MetaImage file, axes in the order slices, rows, columns.

    Parameters
    ----------
    path : the file
    series : its facts; made from the file when None

    Raises
    ------
    SeriesError
        See ``file_geometry``; or the voxels are truncated, all equal, or no numbers.
    """
    facts = series or volume_series(path, path.parent)
    try:
        file_geometry(path)
        source = _SOURCES[suffix_of(path)]
        if source == "nifti":
            check_complete(path)
        voxels, stored = from_sitk(SimpleITK.ReadImage(str(path), imageIO=_ITK_READERS[source]))
    except SeriesError as error:
        raise SeriesError(f"series {facts.label}: {error}") from error
    except RuntimeError as error:
        raise SeriesError(f"series {facts.label}: the voxels cannot be read (truncated or damaged file)") from error
    voxels, geometry = reordered(voxels, stored, slices_first(stored))
    voxels, warnings = _clean(voxels, facts.label)
    return Image(voxels=voxels, geometry=geometry, series=facts, warnings=warnings)


def _clean(voxels: NDArray[np.generic], label: str) -> tuple[NDArray[np.generic], tuple[str, ...]]:
    """Small integers as they are, everything else float32; values that are no numbers become the lowest."""
    if voxels.dtype not in _SMALL_INTEGERS:
        with np.errstate(over="ignore"):  # what float32 cannot hold is no number below
            voxels = voxels.astype(np.float32)
    finite = np.isfinite(voxels)
    if not finite.any() or voxels[finite].min() == voxels[finite].max():
        raise SeriesError(f"series {label}: all voxels have the same value; expected an image")
    if finite.all():
        return voxels, ()
    lost = int(finite.size - finite.sum())
    return np.where(finite, voxels, voxels[finite].min()), (f"{lost} voxels are no numbers; set to the lowest value",)


def _words(path: Path) -> list[str]:
    stem = path.name[: len(path.name) - len(suffix_of(path))]
    return [word for word in re.split(r"[_ .]+", stem.lower()) if word]


def _refusal(grid: Geometry, contrast: Contrast) -> str | None:
    if min(grid.shape[1:]) < 2 or grid.shape[0] < 3:
        return f"only {grid.shape[0]} slice(s); at least 3 are needed"
    if contrast is Contrast.OTHER:
        return "the contrast is not known: name it in the file name (_T1w, _T2w, _STIR) or give it"
    return None


def _check_orientation(reader: SimpleITK.ImageFileReader, path: Path) -> None:
    """Refuse a volume that does not say how it lies in the patient, or contradicts itself about its spacing."""
    keys = set(reader.GetMetaDataKeys())
    if path.suffix.lower() == ".nrrd" and "NRRD_space" not in keys:
        raise SeriesError("the NRRD header has no 'space' field: the orientation is not known")
    if "sform_code" not in keys:
        return
    qform, sform = (int(reader.GetMetaData(f"{kind}_code")) for kind in ("qform", "sform"))
    if qform <= 0 and sform <= 0:
        raise SeriesError("the NIfTI header has neither qform nor sform: the orientation is not known")
    if min(nifti_spacing(path)) <= 0:
        raise SeriesError("the NIfTI header has a voxel spacing of zero")
    if sform > 0:
        rows = [[float(v) for v in reader.GetMetaData(f"srow_{axis}").split()[:3]] for axis in "xyz"]
        _check_sform(np.asarray(rows), reader)
        if qform > 0:
            _check_both_forms(np.asarray(rows), path)


def _check_sform(sform: NDArray[np.float64], reader: SimpleITK.ImageFileReader) -> None:
    """Refuse an sform (RAS, 3 x 3) that is sheared or is not the grid that ITK made of the header."""
    spacing = np.asarray(reader.GetSpacing())
    used = np.diag([-1.0, -1.0, 1.0]) @ np.asarray(reader.GetDirection()).reshape(3, 3) * spacing
    if np.allclose(used, sform, atol=_SPACING_RTOL * spacing.min()):
        return
    axes = sform / np.maximum(np.linalg.norm(sform, axis=0), 1e-9)
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
        raise SeriesError("the volume cannot be read: its axes are sheared or a spacing is zero")
    raise SeriesError("the NIfTI header contradicts itself: voxel spacing, qform and sform disagree")


def _check_both_forms(sform: NDArray[np.float64], path: Path) -> None:
    """Refuse two statements of how the volume lies that exchange sides or axes: either may be the true one."""
    b, c, d, third = nifti_qform(path)
    a = math.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
    turned = Rotation.from_quat((b, c, d, a)).as_matrix() * (1.0, 1.0, third)
    axes = sform / np.linalg.norm(sform, axis=0)
    if (turned * axes).sum(axis=0).min() < _SAME_WAY:
        raise SeriesError(
            "the NIfTI header contradicts itself: by its qform and by its sform the volume lies in different ways in "
            "the patient (sides or axes exchanged); expected one of them, or the same in both"
        )


def _uid(path: Path) -> str:
    """Stable identifier of a file that has none: from its size and first bytes and its name."""
    try:
        with path.open("rb") as stream:
            head = stream.read(65536)
        return _uid_of(path.name.encode() + str(path.stat().st_size).encode() + head)
    except OSError:
        return _uid_of(path.name.encode())


def _uid_of(content: bytes) -> str:
    return f"2.25.{int.from_bytes(hashlib.blake2b(content, digest_size=15).digest(), 'big')}"
