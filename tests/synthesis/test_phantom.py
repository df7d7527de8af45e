"""A phantom in every contrast and geometry is read back from DICOM as what it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import InputError
from spinemri.series import Contrast, Plane
from spinemri.synthesis.acquisitions import Acquisition
from spinemri.synthesis.phantom import CONTRASTS, make_phantom
from spinemri.synthesis.signal import PROTOCOLS
from spinemri.synthesis.tissue import Tissue

EVERY = tuple(c for c in PROTOCOLS if c is not Contrast.OTHER)


def test_every_contrast_is_recognised_from_its_header(tmp_path):
    phantom = make_phantom(4, contrasts=EVERY)
    for image in phantom.images:
        few = replace(
            image, voxels=image.voxels[:3], geometry=replace(image.geometry, shape=(3, *image.geometry.shape[1:]))
        )
        write_series(few, tmp_path / str(image.series.number), StudyHeader("PHANTOM4"))
    (study,) = scan(tmp_path).studies
    found = {series.number: series.contrast for series in study.series}
    assert found == {image.series.number: image.series.contrast for image in phantom.images}


def test_the_usual_contrasts_have_the_same_pixels_alone_or_together():
    together = make_phantom(4).images
    first = make_phantom(4, contrasts=[Contrast.T1W]).images[0]
    assert (first.voxels == together[0].voxels).all()


@pytest.mark.parametrize("contrasts", [(), (Contrast.ADC,), (Contrast.T1W, Contrast.T1W)])
def test_contrasts_that_cannot_be_made_are_refused(contrasts):
    with pytest.raises(InputError, match=r"phantom: contrasts .*expected one or more of T1w"):
        make_phantom(4, contrasts=contrasts)


@pytest.fixture(scope="module")
def several():
    return make_phantom(7, acquisitions=(Acquisition.CORONAL, Acquisition.AXIAL, Acquisition.SAGITTAL))


def test_sagittal_pixels_and_truth_do_not_depend_on_other_acquisitions(several):
    alone = make_phantom(7)
    for one, other in zip(alone.images, several.images, strict=False):
        assert np.array_equal(one.voxels, other.voxels)
        assert one.series == other.series
    assert {key: several.truth[key] for key in alone.truth} == alone.truth
    assert set(several.truth) - set(alone.truth) == {"axial_slices"}


def test_each_acquisition_has_its_plane_and_number(several):
    planes = [(image.series.label, image.series.plane, image.series.contrast) for image in several.images]
    blocks = [label for label, plane, _ in planes if plane is Plane.AXIAL]
    assert blocks == ["5", *(f"5-{n}" for n in range(1, len(blocks)))]
    assert len(blocks) >= 3
    assert planes[:3] == [(str(n + 2), Plane.SAGITTAL, c) for n, c in enumerate(CONTRASTS)]
    assert planes[-1] == ("6", Plane.CORONAL, Contrast.T2W)
    assert set(several.grids) == {*blocks, "6"}
    assert {record["series"] for record in several.truth["axial_slices"]} == set(blocks)
    (narrowed,) = several.truth["sac_narrowings"]
    assert narrowed["level"] in {record["place"] for record in several.truth["axial_slices"]}


def test_axial_blocks_of_one_series_are_read_back_as_they_were_written(several, tmp_path):
    blocks = {image.series.label: image for image in several.images if image.series.plane is Plane.AXIAL}
    written = 0
    for image in blocks.values():
        written += len(write_series(image, tmp_path, StudyHeader("PHANTOM7"), written))
    assert len(list(tmp_path.iterdir())) == sum(image.geometry.shape[0] for image in blocks.values())
    (study,) = scan(tmp_path).studies
    assert {series.label for series in study.series} == set(blocks)
    for series in study.series:
        assert (series.plane, series.contrast) == (Plane.AXIAL, Contrast.T2W)
        read, made = load(series), blocks[series.label]
        assert np.abs(read.geometry.corners() - made.geometry.corners()).max() < 0.01
        assert np.array_equal(read.voxels, made.voxels)


def test_coronal_slices_are_read_back_as_coronal(several, tmp_path):
    image = several.images[-1]
    write_series(image, tmp_path, StudyHeader("PHANTOM7"))
    (study,) = scan(tmp_path).studies
    (series,) = study.series
    assert series.plane is Plane.CORONAL
    assert np.array_equal(load(series).voxels, image.voxels)


def test_images_are_bright_where_csf_is_and_dark_where_cortex_is(several):
    """The pixels lie on the grid that was painted, not on a mirrored one."""
    for label in ("5", "6"):
        image = next(i for i in several.images if i.series.label == label)
        painted = several.grids[label]
        layers, fine = painted.sampling.layers, painted.sampling.fine
        tissue = painted.tissue[layers // 2 :: layers, fine // 2 :: fine, fine // 2 :: fine]
        sac, muscle = (image.voxels[tissue == int(t)] for t in (Tissue.CSF, Tissue.MUSCLE))
        assert np.median(sac) > 3 * np.median(muscle)


@pytest.mark.parametrize("chosen", [(), (Acquisition.AXIAL, Acquisition.AXIAL)])
def test_acquisitions_that_cannot_be_made_are_refused(chosen):
    with pytest.raises(InputError, match=r"phantom: acquisitions .*expected one or more of sagittal, axial, coronal"):
        make_phantom(4, acquisitions=chosen)
