"""A cord above a sacrum is seen, in a view that shows both; nothing else changes."""

from __future__ import annotations

import pytest
import torch

from spinemri.anatomy import StructureKind
from spinemri.evaluate.overlap import dice
from spinemri.evaluate.regions import region_images
from spinemri.segment.model import load_model
from spinemri.segment.predictor import Predictor
from spinemri.segment.second_look import above_sacrum, with_cord
from spinemri.series import Contrast

CLASSES = load_model().classes
NUMBER = {name: n for n, name in CLASSES.items()}
SACRUM, SAC, CORD = (NUMBER[k] for k in (StructureKind.SACRUM, StructureKind.THECAL_SAC, StructureKind.CORD))
ROWS = slice(4, 44)


def seen(*, sacrum: int = 50, columns: int = 200, canal: slice = slice(3, 6)) -> torch.Tensor:
    """Probabilities of 9 slices: a sacrum in the lower columns of the middle ones, and a sac above it."""
    found = torch.zeros(9, len(CLASSES), 48, columns, dtype=torch.half)
    found[:, 0] = 1
    found[3:6, :, 10:20, :sacrum], found[canal, :, 20:30] = 0, 0
    found[3:6, SACRUM, 10:20, :sacrum], found[canal, SAC, 20:30] = 1, 1
    return found


def test_what_lies_above_the_sacrum_is_read_again_where_there_is_a_canal():
    assert above_sacrum(seen(), CLASSES, ROWS, 1) == (slice(2, 7), ROWS, slice(109, 200))
    assert above_sacrum(seen(), CLASSES, ROWS, 2) == (slice(1, 8), ROWS, slice(109, 200))
    assert above_sacrum(seen(canal=slice(0, 9)), CLASSES, ROWS, 1)[0] == slice(0, 9)


@pytest.mark.parametrize(
    "found",
    [seen(sacrum=0), seen(sacrum=6), seen(columns=170), seen(canal=slice(0, 0))],
    ids=["no sacrum", "a speck", "too little above it", "no canal"],
)
def test_otherwise_nothing_is_read_again(found):
    assert above_sacrum(found, CLASSES, ROWS, 1) is None


def test_a_network_that_knows_no_sacrum_reads_once():
    assert above_sacrum(seen(), {0: "background", 1: "thecal_sac", 2: "cord"}, ROWS, 1) is None


def test_the_canal_is_shared_out_as_the_second_look_does_and_its_width_stays():
    found = seen()
    before, part = found.clone(), above_sacrum(found, CLASSES, ROWS, 1)
    again = found[part[0], :, part[1], part[2]].clone()
    again[:, SAC], again[:, CORD] = 0.15, 0.45  # in all of it, also beside the canal
    with_cord(found, again, part, CLASSES)
    assert (found[3:6, CORD, 20:30, 109:] == 0.75).all()
    assert ((found[:, SAC] + found[:, CORD]) == before[:, SAC]).all()
    assert (found[..., :109] == before[..., :109]).all()
    others = [n for n in CLASSES if n not in (SAC, CORD)]
    assert (found[:, others] == before[:, others]).all()


def test_a_cord_that_was_seen_at_first_stays():
    found = seen()
    found[3:6, CORD, 22:26], found[3:6, SAC, 22:26] = 1, 0
    part = above_sacrum(found, CLASSES, ROWS, 1)
    with_cord(found, seen()[part[0], :, part[1], part[2]], part, CLASSES)
    assert (found[3:6, CORD, 22:26] == 1).all()


@pytest.mark.parametrize("contrast", [Contrast.T1W, Contrast.T2W])
def test_the_conus_of_a_lumbar_image_is_found(contrast):
    images, truth = region_images("lumbar", 562, (contrast,))
    found = Predictor(load_model(), "cpu").predict(images[0])
    assert dice(found.classes == CORD, truth.mask_of_kind(StructureKind.CORD)) > 0.8
