"""Who hands out blocks, and who opens the image for them: what is refused, and in which words."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from napari_tessera.prediction import PredictionPlan
from napari_tessera.prediction.block_run import predict_block, write_level_block
from napari_tessera.prediction.blocks import cut_of_run, cut_plan
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.chunks import halves
from napari_tessera.writing.places.lock import StoreBusyError
from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.stored.block_ledger import BLOCKS_NAME
from napari_tessera.writing.stored.block_levels import level_blocks
from napari_tessera.writing.stored.block_target import BlockTarget
from napari_tessera.writing.stored.image_store import ImageOptions

from .block_runs import (
    LENGTHS,
    Job,
    attributes,
    check_same,
    clipping_job,
    clipping_pixels,
    do_blocks,
    do_levels,
    files,
    in_blocks,
)


@pytest.fixture(autouse=True)
def _levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels of images so small."""
    monkeypatch.setattr(halves, "SMALLEST_PLANE", 16)


@pytest.fixture(scope="module")
def job() -> Job:
    return clipping_job(clipping_pixels())


def test_a_store_that_is_no_folder_takes_blocks_too(job: Job, tmp_path: Path) -> None:
    memory, folder = MemoryStore(), tmp_path / "x.ome.zarr"
    in_blocks(job, memory, random.Random(0), lengths=LENGTHS)
    in_blocks(job, folder, random.Random(1), slots=3)
    assert {key for key in memory._store_dict if key != "zarr.json"} == set(files(folder))
    for key, value in files(folder).items():
        assert memory._store_dict[key].to_bytes() == value, key


def test_the_cut_is_known_before_anything_is_made(job: Job, tmp_path: Path) -> None:
    cut = cut_of_run(job.info(), job.options, 3)
    with job.begin(tmp_path / "x.ome.zarr", slots=3) as store:
        assert store.cut.lengths == cut.lengths
        array = store.arrays[0]
    assert cut_plan(job.plan, array.chunks, 3).lengths == cut.lengths
    copying = Job(
        replace(job.plan, region_selection={"C": [1]}, input_axes="CYX", fold="C"),
        job.stack,
        job.model,
    )
    info = replace(job.info(), layout=copying.plan.layout, region=copying.plan.region)
    cut = cut_of_run(
        replace(info, plan=copying.plan.to_dict()), ImageOptions(copy_channels=True), 3
    )
    assert [cut.copied(number) for number in range(cut.n_blocks)] == [(0,), ()]


def test_two_runs_in_blocks_do_not_write_to_one_place(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "x.ome.zarr"
    with job.begin(path):
        with pytest.raises(StoreBusyError, match=r"x\.ome\.zarr is being written by"):
            job.begin(path, resume=True)
        with pytest.raises(StoreBusyError, match=r"x\.ome\.zarr is being written by"):
            job.alone(path, resume=True)
    with pytest.raises(FileExistsError, match="resume it, overwrite it, or choose another name"):
        job.begin(path)
    job.begin(path, overwrite=True).close()


def test_a_zip_file_is_not_written_in_blocks(job: Job, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a ZIP file is packed by one process; use \.ome\.zarr"):
        job.begin(tmp_path / "x.ome.zarr.zip")
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_not_said_to_be_there(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "x.ome.zarr"
    with job.begin(path, lengths=LENGTHS) as store:
        do_blocks(job, path, store, random.Random(0), n=19)
        with pytest.raises(ValueError, match=r"1 blocks of .*x\.ome\.zarr are not done"):
            store.finish()
        failed = np.flatnonzero(~store.done).tolist()
        do_levels(job, path, store, random.Random(0))
        store.finish(failed)
        assert not store.completed
    about = attributes(path)["napari_tessera"]
    assert (about["state"], about["completed"], about["partial_levels"]) == ("stopped", False, True)
    assert about["clipped_pixels"] == store.clipped_pixels
    # what is there is shown at every size
    group = zarr.open_group(path, mode="r")
    assert all(np.asarray(group[str(level)][:]).any() for level in range(len(store.levels)))


def test_a_run_that_is_stopped_before_its_levels_shows_what_it_has(
    job: Job, tmp_path: Path
) -> None:
    path = tmp_path / "x.ome.zarr"
    with job.begin(path, lengths=LENGTHS) as store:
        do_blocks(job, path, store, random.Random(0), n=19)
        store.stop()
    window = attributes(path)["ome"]["omero"]["channels"][0]["window"]
    # 0 is where nothing came; no smaller level was there to look at
    assert 10 < window["end"] <= window["max"] == 127


def test_levels_are_made_of_what_is_there_and_nothing_else(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "x.ome.zarr"
    with job.begin(path, lengths=LENGTHS) as store:
        task = job.task(path, store.run_id)
        predict_block(task, 0)
        for level, grid in list(enumerate(store.levels))[1:]:
            for number in range(int(np.prod(grid.counts))):
                write_level_block(task.target, level, number)
    # of the second plane nothing is there
    for level in range(1, len(store.levels)):
        assert (path / str(level) / "c/0/0/0").exists()
        assert not (path / str(level) / "c/1").exists()


def test_levels_are_cut_into_few_blocks_of_whole_shards() -> None:
    group = zarr.create_group(MemoryStore())
    large = group.create_array(
        "a",
        shape=(40, 20_000, 30_000),
        chunks=(1, 256, 256),
        shards=(1, 512, 2048),
        dtype="uint16",
    )
    grid = level_blocks(large)
    assert all(length % own == 0 for length, own in zip(grid.lengths, large.shards, strict=True))
    assert np.prod(grid.lengths) * 2 <= 32 * 2**20
    assert np.prod(grid.counts) < 2_500
    vast = group.create_array(
        "b", shape=(10**6, 10**6, 1000), chunks=(100, 1000, 100), dtype="uint8"
    )
    assert np.prod(level_blocks(vast).counts) <= 40_000
    small = group.create_array("c", shape=(3, 40, 50), chunks=(1, 20, 20), dtype="uint8")
    assert level_blocks(small).counts == (1, 1, 1)


def test_a_block_that_is_cancelled_is_not_entered(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "x.ome.zarr"
    with job.begin(path, slots=1) as store:
        assert store.cut.n_blocks < 20
        task, cancel = job.task(path, store.run_id), Event()
        told: list[tuple[int, int]] = []

        def tell(done: int, total: int) -> None:
            told.append((done, total))
            if done >= 2:
                cancel.set()

        result = predict_block(task, 0, cancel=cancel, progress=tell)
        assert not result.completed
        assert {total for _, total in told} == {store.cut.n_meeting(0)}
        assert not (path / BLOCKS_NAME / "c").exists()
        told.clear()
        assert predict_block(task, 0, progress=lambda *now: told.append(now)).completed
        assert told[-1] == (store.cut.n_meeting(0),) * 2


def test_a_worker_that_finds_something_else_says_so(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "x.ome.zarr"
    match = r"x\.ome\.zarr is not the image that was begun \(.*\): give a place that all workers"
    with pytest.raises(StoreError, match=match):
        BlockTarget.open(path, "a")
    with job.begin(path, lengths=LENGTHS) as store:
        target = BlockTarget.open(path, store.run_id)
        group = zarr.open_group(path, mode="r+")
        about = group.attrs["napari_tessera"]
        with pytest.raises(StoreBusyError, match="taken over by another run"):
            BlockTarget.open(path, "another")
        for changed in ({"plan": {}}, {"blocks": {"run": store.run_id, "lengths": "all"}}):
            group.update_attributes({"napari_tessera": {**about, **changed}})
            with pytest.raises(StoreError, match=match):
                BlockTarget.open(path, store.run_id)
        group.update_attributes({"napari_tessera": about})
        path.rename(tmp_path / "moved.ome.zarr")
        for look in (target.look, target.check):
            with pytest.raises(StoreError, match="was removed, moved or replaced"):
                look()
        (tmp_path / "moved.ome.zarr").rename(path)


def test_what_workers_hold_is_asked_for_again_where_looking_takes_time(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = MemoryStore()
    with job.begin(memory, lengths=LENGTHS) as store:
        target = BlockTarget.open(memory, store.run_id)
        target.check()
        group = zarr.open_group(memory, mode="r+")
        about: Any = group.attrs["napari_tessera"]
        other = {**about, "blocks": {**about["blocks"], "run": "another"}}
        group.update_attributes({"napari_tessera": other})
        target.look()
        monkeypatch.setattr("napari_tessera.writing.stored.block_target.BEAT_SECONDS", -1.0)
        with pytest.raises(StoreBusyError, match="taken over by another run"):
            target.look()


def test_damaged_cuts_are_no_cuts(job: Job, tmp_path: Path) -> None:
    """Whoever goes on starts with what is on disk otherwise known."""
    path, one = tmp_path / "x.ome.zarr", tmp_path / "one.ome.zarr"
    job.alone(one)
    for damaged in ({}, {"lengths": "x"}, {"lengths": [1, 2]}, {"lengths": [0, 24, 40]}, 7):
        with job.begin(path, lengths=LENGTHS, overwrite=path.exists()) as store:
            do_blocks(job, path, store, random.Random(0), n=3)
        group = zarr.open_group(path, mode="r+")
        about: Any = group.attrs["napari_tessera"]
        group.update_attributes({"napari_tessera": {**about, "blocks": damaged}})
        stored = read_unfinished(path)
        assert stored is not None
        assert stored.n_done == 0
        in_blocks(job, path, random.Random(0), resume=True)
        check_same(one, path)


def test_a_plan_over_a_part_has_its_pixels_and_statistics(job: Job) -> None:
    plan = job.plan
    part = replace(plan.region, indices=(range(1, 2), range(10, 60), range(80)))
    over = plan.over(part)
    assert over is not None
    assert over.region == part
    assert over.normalization == plan.normalization
    assert over.patching.patch_size == plan.patching.patch_size
    assert plan.over(plan.region) == plan
    assert PredictionPlan.from_json(over.to_json()) == over
