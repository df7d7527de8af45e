"""Two thousand executions with damaged input, the same in every run; ``make fuzz`` goes on from there."""

from __future__ import annotations

from tests.fuzz.run import run

EXECUTIONS = 2000


def test_damaged_input_is_read_or_refused(tmp_path):
    figures = run(0, EXECUTIONS, 2, with_real=False, findings=tmp_path / "findings.jsonl")
    assert figures["executions"] == EXECUTIONS
    assert figures["kinds_of_faults"] == {}
