"""Settings every test runs under, and the door to reference data that not every machine has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spinemri.networks import Networks
    from spinemri.synthesis.phantom import Phantom
    from tests.orthanc import Pacs

os.environ.setdefault("MPLBACKEND", "Agg")
# test processes share the cores; libraries read this as they are loaded, so nothing here may load one before
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

# derandomize: the same examples in every run, so that a failure belongs to the change that made it
settings.register_profile("spinemri", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("spinemri")


@pytest.fixture(autouse=True)
def nothing_fails_inside(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A fault that the program survives is a fault still: tests that make none may see none."""
    yield
    told = [record.getMessage() for record in caplog.get_records("call") if record.name == "spinemri.faults"]
    assert not told or request.node.get_closest_marker("faulty"), told


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of public reference data beside the repository; tests that need it are skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("no folder ../shared with reference data beside the repository")
    return folder


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pacs]:
    """A DICOMweb server that lives as long as the tests of a module, and is empty at first."""
    from tests.orthanc import orthanc

    with orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="session")
def axial_truth() -> Phantom:
    """A person with axial T2w blocks beside a sagittal series."""
    from tests.axial_study import axial_phantom

    return axial_phantom()


@pytest.fixture(scope="session")
def axial_folder(axial_truth: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That person's DICOM files."""
    from tests.axial_study import write_study

    root = tmp_path_factory.mktemp("axial")
    write_study(axial_truth, root)
    return root


@pytest.fixture(scope="session")
def axial_networks(axial_truth: Phantom) -> Networks:
    """Networks that make no mistake in that person."""
    from tests.axial_study import networks_of

    return networks_of(axial_truth)
