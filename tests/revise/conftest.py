"""The study that readers review and correct, as files and as the networks see it."""

from __future__ import annotations

import pytest

from tests.revise import reviewed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("study")
    reviewed.write_study(made)
    return made


@pytest.fixture(scope="module")
def seen(folder):
    return reviewed.read(folder)
