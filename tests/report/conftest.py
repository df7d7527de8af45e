from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spinemri.report.write import write
from tests.report import cases
from tests.report.three_planes import three_planes

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.case import Case


@pytest.fixture(scope="session")
def case() -> Case:
    """The hand-made case, with markup in a series description."""
    return cases.case(cases.XSS)


@pytest.fixture(scope="session")
def lesion_case() -> Case:
    """The same with two lesions of the marrow."""
    return cases.with_lesions(cases.case(cases.XSS))


@pytest.fixture(scope="session")
def lesion_result(lesion_case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every format of the case with lesions."""
    return write(lesion_case, tmp_path_factory.mktemp("lesions") / "result")


@pytest.fixture(scope="session")
def result(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every format."""
    return write(case, tmp_path_factory.mktemp("out") / "result")


@pytest.fixture(scope="session")
def three_plane_case() -> Case:
    """One spine in a sagittal, a coronal and an axial series."""
    return three_planes()
