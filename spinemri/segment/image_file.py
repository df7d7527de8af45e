"""One image file in, its classes as a file out: what a MONAI bundle's ``run`` does with a network of anatomy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spinemri.convert import write_nifti
from spinemri.read import file_geometry, read_volume

if TYPE_CHECKING:
    from spinemri.segment.predictor import Predictor


def segment_file(predictor: Predictor, image: Path | str, output: Path | str) -> Path:
    """Write the most probable class of every voxel of an image, on its grid; returns the path.

    These are the classes of the network alone (see the bundle's card), without levels and corrections.

    Parameters
    ----------
    image : NIfTI, NRRD or MetaImage; contrast in its name (_T1w, _T2w, _STIR) where the model asks for it
    output : ends in .nii, .nii.gz, .nrrd or .mha

    Raises
    ------
    SpineMRIError
        If the image cannot be read, has no slices of the model's plane or a contrast that it does not accept, or the
        output cannot be written.
    """
    path = Path(image)
    volume = read_volume(path)
    write_nifti(predictor.predict(volume).classes, volume.geometry, Path(output), like=file_geometry(path))
    return Path(output)
