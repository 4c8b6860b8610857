"""Arithmetic on clusters: what follows from what, and that the page shows it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.cluster_parts.paper import (
    JOBS,
    Cluster,
    Costs,
    Job,
    estimate,
    limits,
    model_seconds,
    most_gpus,
    table,
)

FREE = Costs(scheduler_ms=1, client_ms=2, block_ms=0, requests=0)
JOB = Job("", 1e10, 100, 1.0)


def test_a_job_of_no_overhead_takes_what_its_pixels_take() -> None:
    # 10¹⁰ pixels, 10 GPUs of 100 MP/s: ten seconds, in ten waves of a second
    found = estimate(JOB, FREE, Cluster(gpus=10, megapixels_s=100, packed=1))
    assert found.block_s == pytest.approx(1)
    assert found.hours * 3600 == pytest.approx(10)
    assert found.blocks_s == pytest.approx(10)
    assert found.scheduler_share == pytest.approx(0.01)
    assert found.client_share == pytest.approx(0.02)
    assert found.read_gb_s == pytest.approx(2)
    assert found.write_gb_s == pytest.approx(8 / 3)


def test_tiles_that_are_predicted_twice_cost_time_and_reading_but_no_writing() -> None:
    cluster = Cluster(gpus=10)
    once, twice = (estimate(replace(JOB, redundancy=r), FREE, cluster) for r in (1.0, 1.5))
    assert twice.hours == pytest.approx(1.5 * once.hours)
    assert twice.write_gb_s == pytest.approx(once.write_gb_s / 1.5)
    assert twice.read_gb_s == pytest.approx(once.read_gb_s)


def test_the_last_wave_takes_as_long_as_a_whole_one() -> None:
    whole, more = (estimate(replace(JOB, blocks=n), FREE, Cluster(gpus=50)) for n in (100, 101))
    assert more.hours / more.block_s == pytest.approx(1.5 * whole.hours / whole.block_s)


def test_requests_cost_time_where_there_are_any() -> None:
    costs = replace(FREE, requests=10, block_ms=100)
    far = estimate(JOB, costs, Cluster(gpus=10, request_ms=40))
    near = estimate(JOB, costs, Cluster(gpus=10, request_ms=40), remote=False)
    assert far.block_s - near.block_s == pytest.approx(0.4)
    assert near.overhead_share == pytest.approx(0.1 / near.block_s)


def test_the_busier_of_scheduler_and_client_is_the_limit() -> None:
    assert most_gpus(1.0, FREE, share=0.5) == 250
    assert model_seconds(replace(FREE, model_mb=50), Cluster(gpus=100, network_mb_s=500)) == 10


def test_the_page_shows_what_follows(pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs" / "scaling.md").read_text("utf-8")
    assert table(Costs(), Cluster()) in page
    assert limits(Costs()) in page
    costs, cluster = Costs(), Cluster()
    plain = " ".join(page.split())
    for said in (
        f"scheduler {costs.scheduler_ms:g} ms and client {costs.client_ms:g} ms",
        f"{costs.block_ms:g} ms",
        f"{costs.requests} times",
        f"{cluster.gpus} GPUs of {cluster.megapixels_s:g} MP/s",
        f"{cluster.request_ms:g} ms",
        f"{cluster.packed:.0%}",
        f"{model_seconds(costs, cluster):.2g} s",
        f"{len(JOBS)} images",
    ):
        assert said in plain, said
