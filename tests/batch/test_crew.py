"""Several processes say what one says, and the death of one costs only the study that killed it."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from spinemri.batch.run import analyze_many, networks, run
from spinemri.batch.sources import find_sources
from spinemri.errors import ModelError
from tests.batch.small_study import OPTIONS, deadly_job, job, study_image, telling_networks, true_networks
from tests.batch.tables_of import rows, tables


def test_two_workers_end_as_one_and_a_study_that_kills_its_process_is_the_only_loss(cohort, tmp_path):
    sources = find_sources(cohort, OPTIONS)
    one, two, killed = (tmp_path / name for name in ("one", "two", "killed"))
    assert Counter(o.status for o in run(sources, job(), one)) == {"done": 5}
    assert Counter(o.status for o in run(sources, job(), two, workers=2)) == {"done": 5}
    assert tables(one) == tables(two)
    deadly = deadly_job(int(study_image(3).voxels.max()))
    outcomes = {o.id: o for o in run(sources, deadly, killed, workers=2)}
    name = next(source.id for source in sources if source.place == "s3")
    assert outcomes[name].status == "failed"
    assert "ended twice (exit -9)" in outcomes[name].error
    assert len(outcomes) == 5
    assert [row["id"] for row in rows(killed / "failures.csv")] == [name]
    assert Counter(o.status for o in run(sources, job(), killed)) == {"done": 1, "unchanged": 4}
    assert tables(killed) == tables(one)


def test_what_goes_wrong_before_the_first_study_is_said_once(cohort):
    load = partial(networks, "cuda:77", 1, lesions=False)
    with pytest.raises(ModelError, match="cuda:77"):
        next(analyze_many(cohort, load, OPTIONS, workers=2))


def test_a_worker_gets_the_threads_that_were_asked_for(cohort, tmp_path, monkeypatch):
    for library in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "ITK_GLOBAL_DEFAULT_NUMBER_OF"):
        monkeypatch.delenv(f"{library}_THREADS", raising=False)
    with pytest.raises(ModelError, match=r"^3 3 3 3$"):
        list(run(find_sources(cohort, OPTIONS), job(load=telling_networks), tmp_path / "out", 2, 3))


def test_analyses_come_from_other_processes_too(cohort):
    here = {a.study: a.measurements for a in analyze_many(cohort, true_networks, OPTIONS)}
    there = {a.study: a.measurements for a in analyze_many(cohort, true_networks, OPTIONS, workers=2)}
    assert here == there
    assert len(here) == 5
