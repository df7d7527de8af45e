"""Actors of Ray say what the local engine says, and one that is killed is replaced and its studies done again."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from spinemri.batch.cluster import Cluster
from spinemri.batch.run import analyze_many, run
from spinemri.batch.sources import find_sources
from spinemri.errors import InputError, ModelError
from tests.batch.small_study import OPTIONS, deadly_job, job, study_image, telling_networks, true_networks, write_study
from tests.batch.tables_of import rows, tables

TWO = Cluster(workers=2)
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'spinemri[ray]'")


@pytest.fixture(scope="module")
def cluster():
    """Ray on this machine with room for two processes."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
    yield
    ray.shutdown()


@pytest.fixture
def twelve(tmp_path):
    root = tmp_path / "twelve"
    for number in range(12):
        write_study(root / f"s{number:02d}", number)
    return root


def test_a_worker_killed_in_mid_run_is_replaced_and_the_tables_are_those_of_the_local_engine(twelve, tmp_path, cluster):
    sources = find_sources(twelve, OPTIONS)
    calm, out, mark = tmp_path / "calm", tmp_path / "out", tmp_path / "killed"
    assert Counter(o.status for o in run(sources, job(), calm)) == {"done": 12}
    deadly = deadly_job(int(study_image(3).voxels.max()), mark)
    assert Counter(o.status for o in run(sources, deadly, out, TWO)) == {"done": 12}
    assert mark.exists()
    assert tables(out) == tables(calm)
    assert not list((out / ".batch" / "locks").iterdir())
    assert Counter(o.status for o in run(sources, job(), out, TWO)) == {"unchanged": 12}


def test_a_study_that_kills_every_worker_is_the_only_loss(cohort, tmp_path, cluster):
    sources = find_sources(cohort, OPTIONS)
    out = tmp_path / "out"
    outcomes = {o.id: o for o in run(sources, deadly_job(int(study_image(3).voxels.max())), out, TWO)}
    name = next(source.id for source in sources if source.place == "s3")
    assert Counter(o.status for o in outcomes.values()) == {"done": 4, "failed": 1}
    assert "ended 3 times" in outcomes[name].error
    (failure,) = rows(out / "failures.csv")
    assert (failure["id"], failure["stage"]) == (name, "process")


def test_analyses_come_from_actors_too_and_what_goes_wrong_before_is_said_once(cohort, cluster):
    here = {a.study: a.measurements for a in analyze_many(cohort, true_networks, OPTIONS)}
    there = {a.study: a.measurements for a in analyze_many(cohort, true_networks, OPTIONS, workers=Cluster(workers=1))}
    assert here == there
    with pytest.raises(ModelError, match=r"^2 2 2 2$"):
        next(analyze_many(cohort, telling_networks, OPTIONS, workers=Cluster(workers=1, threads=2)))
    with pytest.raises(InputError, match="none is here; expected device cpu"):
        next(analyze_many(cohort, true_networks, OPTIONS, workers=Cluster(workers=2, gpus=1)))
