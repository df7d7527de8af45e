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
