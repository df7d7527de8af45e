from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.batch.small_study import write_study

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cohort(tmp_path) -> Path:
    """Five sound studies of five people."""
    root = tmp_path / "cohort"
    for number in range(5):
        write_study(root / f"s{number}", number)
    return root
