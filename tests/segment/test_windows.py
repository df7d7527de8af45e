"""Which part of an axial slice is read."""

from __future__ import annotations

import numpy as np

from spinemri.segment.windows import square_around


def test_axial_slices_are_read_around_the_spine():
    bone = np.zeros((300, 400), dtype=int)
    bone[150:190, 60:110] = 1
    rows, columns = square_around(bone, (192, 224), 0.8)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (192, 224)
    assert rows.start < 100  # more behind the bodies than before them
    assert columns.start == 0
    assert square_around(bone // 2, (192, 224), 0.8) is None
    small = square_around(bone[100:220, 20:200], (192, 224), 0.8)
    assert small == (slice(0, 120), slice(0, 180))
