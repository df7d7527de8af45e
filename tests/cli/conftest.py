from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_configuration(tmp_path_factory, monkeypatch):
    """The key of the tokens is made in a folder of this test, never in the user's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
