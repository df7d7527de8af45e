"""A phantom in every contrast that has a signal equation is read back from DICOM as that contrast."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spinemri.dicom.scan import scan
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import InputError
from spinemri.series import Contrast
from spinemri.synthesis.phantom import make_phantom
from spinemri.synthesis.signal import PROTOCOLS

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
