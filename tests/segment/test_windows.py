"""Which part of an axial slice is read."""

from __future__ import annotations

import numpy as np

from spinemri.segment.windows import square_around


def test_axial_slices_are_read_around_the_canal():
    canal = np.zeros((300, 400), dtype=int)
    canal[140:160, 70:95] = 1
    rows, columns = square_around(canal, (192, 224), 0.8)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (192, 224)
    assert rows.stop - 150 > 150 - rows.start  # more in front of the canal than behind it
    assert columns.start == 0
    canal[:, :] = 0
    canal[140, 70:129] = 1
    assert square_around(canal, (192, 224), 0.8) is None
    canal[140, 70:130] = 1
    assert square_around(canal, (192, 224), 0.8) is not None
    assert square_around(canal[100:220, 20:200], (192, 224), 0.8) == (slice(0, 120), slice(0, 180))


def test_a_canal_that_wanders_from_slice_to_slice_is_read_throughout():
    """As in straight slices through the neck and the upper thoracic spine."""
    canal = np.zeros((400, 300), dtype=int)
    canal[80:100, 140:160] = canal[230:250, 140:160] = 1
    rows, columns = square_around(canal, (192, 224), 0.8)
    assert rows.start < 80 - 60  # what lies behind the canal, in every slice
    assert rows.stop > 250 + 100
    assert columns.stop - columns.start == 224
