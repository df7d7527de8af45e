"""A state of the process that several threads change stays changed until the last of them is done, and then is back."""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager

import pytest

from spinemri.dicom.values import lenient
from spinemri.report.dicom_source import lenient as lenient_for_reports
from spinemri.together import together


def test_it_is_changed_once_and_put_back_by_the_last_of_those_who_came():
    told = []

    @contextmanager
    def change():
        told.append("changed")
        yield
        told.append("back")

    first, second = together("a test", change), together("a test", change)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert told == ["changed"]
    second.__exit__(None, None, None)
    assert told == ["changed", "back"]
    with pytest.raises(KeyError), together("a test", change):
        raise KeyError
    assert told == ["changed", "back"] * 2


@pytest.mark.parametrize("other", [lenient, lenient_for_reports])
def test_no_remark_gets_out_while_another_thread_stops_reading(other):
    """Two threads of a batch: one begins to read while the other does, and goes on when that has stopped."""
    inside, go_on, caught = threading.Event(), threading.Event(), []

    def read():
        with other():
            inside.set()
            go_on.wait(10)
            with warnings.catch_warnings(record=True) as told:
                warnings.warn("Invalid value for VR IS: 'MUSTERMANN'", UserWarning, stacklevel=1)
            caught.extend(told)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        before = list(warnings.filters)
        thread = threading.Thread(target=read)
        with lenient():
            thread.start()
            inside.wait(10)
        go_on.set()
        thread.join(10)
        assert caught == []
        assert warnings.filters == before
