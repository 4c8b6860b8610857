"""Runs that go on: in blocks after blocks, in blocks after one process, and the other way."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera import plan_prediction
from napari_tessera.prediction.block_run import predict_block
from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.chunks import halves
from napari_tessera.writing.places.lock import StoreBusyError
from napari_tessera.writing.stored import image_run
from napari_tessera.writing.stored.block_ledger import BLOCKS_NAME
from napari_tessera.writing.stored.copied_channels import copied_blocks
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
from .test_block_run import any_job


@pytest.fixture(autouse=True)
def _levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels of images so small."""
    monkeypatch.setattr(halves, "SMALLEST_PLANE", 16)


@pytest.fixture(scope="module")
def job() -> Job:
    return clipping_job(clipping_pixels())


@pytest.fixture(scope="module")
def whole(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process leaves."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(halves, "SMALLEST_PLANE", 16)
        path = tmp_path_factory.mktemp("whole") / "x.ome.zarr"
        job.alone(path)
    assert 100 < zarr.open_group(path, mode="r").attrs["napari_tessera"]["clipped_pixels"] < 400
    return path


def check_changing_hands(seed: int) -> None:
    """A run goes on in blocks and in one process, and each leaves off somewhere."""
    job, choice = any_job(seed), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(halves, "SMALLEST_PLANE", 16)
        one, other = Path(folder, "one.ome.zarr"), Path(folder, "other.ome.zarr")
        job.alone(one)
        total, known = job.plan.total_tiles, 0
        for leg in range(3):
            stored = read_unfinished(other) if leg else None
            if stored is not None:
                assert known <= stored.n_done <= total
                assert len(stored.done) <= stored.n_done
            if choice.random() < 0.5:
                with job.begin(other, resume=leg > 0, slots=choice.randint(2, 9)) as store:
                    n = choice.randint(0, max(1, int(np.count_nonzero(~store.done)) - 1))
                    do_blocks(job, other, store, choice, n=n)
                    if choice.random() < 0.5:
                        do_levels(job, other, store, choice)
                        store.stop()
                    known = 0
            else:
                order = choice.sample(range(job.plan.tiles.n_tiles), job.plan.tiles.n_tiles)
                result = job.alone(
                    other, resume=leg > 0, stop_after=choice.randint(0, total), order=order
                )
                known = result.n_done
                if result.completed:
                    break
        if choice.random() < 0.5:
            in_blocks(job, other, choice, resume=True, slots=3)
        else:
            assert job.alone(other, resume=True).completed
        check_same(one, other)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_run_that_changes_hands_again_and_again_leaves_the_bytes_of_one_run(seed: int) -> None:
    check_changing_hands(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_run_over_any_image_may_change_hands(seed: int) -> None:
    check_changing_hands(2000 + seed)


def test_blocks_that_are_done_are_not_done_again(job: Job, whole: Path, tmp_path: Path) -> None:
    path, choice = tmp_path / "x.ome.zarr", random.Random(0)
    with job.begin(path, lengths=LENGTHS) as store:
        first = do_blocks(job, path, store, choice, n=7)
        store.stop()
    about = zarr.open_group(path, mode="r").attrs["napari_tessera"]
    assert about["state"] == "stopped"
    assert about["blocks"]["lengths"] == list(LENGTHS)
    assert read_unfinished(path).n_done == sum(result.tiles for result in first)

    # whatever number of workers it goes on with
    with job.begin(path, resume=True, slots=99) as store:
        assert store.cut.lengths == LENGTHS
        assert np.flatnonzero(store.done).tolist() == sorted(each.number for each in first)
        assert store.n_tiles_done == sum(result.tiles for result in first)
        second = do_blocks(job, path, store, choice)
        assert len(second) == store.cut.n_blocks - 7
        do_levels(job, path, store, choice)
        store.finish()
    check_same(whole, path)
    assert BLOCKS_NAME not in zarr.open_group(path, mode="r")


def test_what_one_process_has_done_is_not_done_again_in_blocks(
    whole: Path, tmp_path: Path, job: Job
) -> None:
    path = tmp_path / "x.ome.zarr"
    job.alone(path, stop_after=20)
    stored = read_unfinished(path)
    assert stored.n_done == len(stored.done) >= 20
    with job.begin(path, resume=True, lengths=LENGTHS) as store:
        for number in np.flatnonzero(store.done).tolist():
            assert set(store.cut.tiles_meeting(number)) <= set(stored.done)
        # clipped pixels of tiles over several blocks are nobody's; nothing else is done again
        clipped = zarr.open_array(whole / "0", mode="r")[:]
        assert np.isin(clipped, [-128, 127]).any()
        group = zarr.open_group(path, mode="r")
        assert "tessera_ledger" not in group
        assert "tessera_ledger_clipped" not in group
        do_blocks(job, path, store, random.Random(0))
        do_levels(job, path, store, random.Random(0))
        store.finish()
    check_same(whole, path)


def test_float_blocks_are_taken_over_as_they_are(tmp_path: Path) -> None:
    floats = clipping_job(clipping_pixels(), "float32")
    path = tmp_path / "x.ome.zarr"
    floats.alone(path, stop_after=20)
    n_done = read_unfinished(path).n_done
    with floats.begin(path, resume=True, lengths=LENGTHS) as store:
        done = np.flatnonzero(store.done)
        # all of the first plane, but what is one tile over the edge
        assert len(done) >= store.cut.n_blocks // 2 - 4
        assert 0 < store.n_tiles_done <= n_done
        first = do_blocks(floats, path, store, random.Random(0), n=2)
        assert not set(done.tolist()) & {each.number for each in first}
    # and back: no tile of a block that is done is predicted again
    stored = read_unfinished(path)
    assert set(stored.done) == set(np.flatnonzero(store.cut.tiles_of(store.done)).tolist())
    assert floats.alone(path, resume=True).completed
    one = tmp_path / "one.ome.zarr"
    floats.alone(one)
    check_same(one, path)


def test_blocks_whose_chunks_are_gone_are_done_again(whole: Path, tmp_path: Path, job: Job) -> None:
    path, choice = tmp_path / "x.ome.zarr", random.Random(0)
    with job.begin(path, lengths=LENGTHS) as store:
        do_blocks(job, path, store, choice)
    (path / "0/c/1/2/3").unlink()
    (path / "0/c/0/0/0").write_bytes(b"")
    (path / BLOCKS_NAME / "c/5/0").write_bytes(b"cut")
    (path / BLOCKS_NAME / "c/6/0").unlink()
    leftover = path / "0/c/0" / f"0.{'a' * 32}.partial"
    leftover.write_bytes(b"half")
    with job.begin(path, resume=True) as store:
        assert not leftover.exists()
        window = [
            number
            for number in range(store.cut.n_blocks)
            if all(
                part.start <= at < part.stop
                for part, at in zip(store.cut.window(number), (1, 48, 60), strict=True)
            )
        ]
        assert np.flatnonzero(~store.done).tolist() == sorted({0, 5, 6, *window})
        do_blocks(job, path, store, choice)
        do_levels(job, path, store, choice)
        store.finish()
    check_same(whole, path)


def test_levels_of_what_was_there_are_not_taken_for_whole_by_one_process(
    job: Job, whole: Path, tmp_path: Path
) -> None:
    """They were made when a run was stopped, and more blocks came before the next was killed."""
    path, choice = tmp_path / "x.ome.zarr", random.Random(0)
    with job.begin(path, lengths=LENGTHS) as store:
        do_blocks(job, path, store, choice, n=17)
        do_levels(job, path, store, choice)
        store.stop()
    with job.begin(path, resume=True) as store:
        do_blocks(job, path, store, choice)
        assert zarr.open_group(path, mode="r").attrs["napari_tessera"]["partial_levels"] is True
    assert job.alone(path, resume=True).completed
    check_same(whole, path)


def test_a_worker_of_a_run_that_was_replaced_or_gone_on_with_stops(
    job: Job, tmp_path: Path
) -> None:
    path = tmp_path / "x.ome.zarr"
    with job.begin(path, lengths=LENGTHS) as store:
        old = job.task(path, store.run_id)
    for resume in (True, False):
        with job.begin(path, resume=resume, overwrite=not resume) as store:
            assert store.run_id != old.target.run_id
            with pytest.raises(OSError, match=r"x\.ome\.zarr was (taken over|removed)"):
                predict_block(old, 0)
            with pytest.raises(StoreBusyError, match=r"taken over by another run: this one stops"):
                job.task(path, old.target.run_id)
            assert not store.done.any()
            assert not (path / BLOCKS_NAME / "c").exists()
            assert not (path / "0/c").exists()


def test_finished_images_are_left_as_they_are(job: Job, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.ome.zarr"
    in_blocks(job, path, random.Random(0), lengths=LENGTHS)
    before = files(path)
    with job.begin(path, resume=True) as store:
        assert store.completed
        assert store.done.all()
        assert store.n_tiles_done == job.plan.total_tiles
        store.finish()
        store.stop()
    assert files(path) == before
    # killed after it was said, before what is not needed any more was gone
    group = zarr.open_group(path, mode="r+")
    group.create_array(BLOCKS_NAME, shape=(4, 4), chunks=(1, 4), dtype="int64")
    with job.begin(path, resume=True):
        pass
    assert files(path) == before
    group.create_array(BLOCKS_NAME, shape=(4, 4), chunks=(1, 4), dtype="int64")
    assert job.alone(path, resume=True).completed
    check_same(whole, path)


def test_a_run_that_was_killed_while_it_copied_channels_counts_what_was_clipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(20, 40, (2, 60, 50)).astype(np.uint16)
    pixels[0, 3:9] = 500
    stack, model = ArrayStack(pixels, "CYX"), clipping_job(clipping_pixels()).model
    plan = plan_prediction(
        stack,
        model,
        patch_size=24,
        overlaps=4,
        normalization="none",
        output_dtype="int8",
        region={"C": [1]},
        torch_threads=1,
    )
    job = Job(plan, stack, model, ImageOptions(chunks=(20, 20), copy_channels=True))
    one, other = tmp_path / "one.ome.zarr", tmp_path / "other.ome.zarr"
    assert job.alone(one).completed
    assert attributes(one)["napari_tessera"]["clipped_pixels"] == 6 * 50

    def cut_short(*args: Any) -> Iterator[Any]:
        yield from islice(copied_blocks(*args), 4)
        raise OSError("the machine went down")

    with monkeypatch.context() as patched:
        patched.setattr(image_run, "copied_blocks", cut_short)
        with pytest.raises(OSError, match="the machine went down"):
            job.alone(other)
    store = in_blocks(job, other, random.Random(0), resume=True, lengths=(1, 20, 20))
    assert store.clipped_pixels == 6 * 50
    check_same(one, other)
