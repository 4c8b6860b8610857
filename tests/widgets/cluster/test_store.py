"""What workers save is shown as it comes: closely from disk, from afar by levels in memory."""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.prediction.block_runs import Job, do_blocks, do_levels
from tests.widgets.conftest import WAIT_MS, Blur, make_plan, noisy

from napari_tessera.models import load_model
from napari_tessera.prediction.block_run import predict_block
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets import live_levels
from napari_tessera.widgets.cluster.shown_blocks import ShownBlocks
from napari_tessera.widgets.cluster.store import ClusterStore
from napari_tessera.widgets.save_target import ResolvedTarget
from napari_tessera.writing.stored.image_store import ImageOptions

SHAPE = (3, 700, 600)


class News:
    """Counts what is told, and waits for it."""

    def __init__(self) -> None:
        self._told = threading.Semaphore(0)

    def __call__(self) -> None:
        self._told.release()

    def wait(self) -> None:
        assert self._told.acquire(timeout=WAIT_MS / 1000)


@pytest.fixture(autouse=True)
def _small_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_levels, "LEVELS_FROM", 500)
    monkeypatch.setattr(live_levels, "SMALLEST_SIDE", 200)


def job_of(axes: str = "TYX", shape: tuple[int, ...] = SHAPE, **settings: Any) -> Job:
    image = noisy(shape)
    plan = make_plan(image, axes, patch_size=(256, 256), **settings)
    options = ImageOptions(chunks=(1,) * (len(shape) - 2) + (256, 256))
    return Job(plan, ArrayStack(image, axes), load_model(Blur(), device="cpu"), options)


def store_of(job: Job, path: Path, news: Callable[[], None]) -> ClusterStore:
    axes = job.plan.layout.axes
    return ClusterStore(job.plan, axes, None, ResolvedTarget(path), news)


def expected_of(job: Job, tmp_path: Path) -> Any:
    path = tmp_path / "alone.ome.zarr"
    job.alone(path)
    import zarr

    return zarr.open_array(str(path), path="0", mode="r")[...]


def test_a_block_is_there_at_every_zoom_as_soon_as_it_is_saved(tmp_path: Path) -> None:
    job, news = job_of(), News()
    expected = expected_of(job, tmp_path)
    path = tmp_path / "a.ome.zarr"
    store = store_of(job, path, news)
    assert not store.ready
    store.look_at({"T": 1})
    with job.begin(path, lengths=(1, 256, 256)) as blocks:
        store.opened(blocks)
        assert store.ready
        levels = store.data()
        assert [level.shape for level in levels] == [SHAPE, (3, 350, 300), (3, 175, 150)]
        assert all(np.isnan(level[1]).all() for level in levels)
        close_up = levels[0][1, 256:512, 256:512]
        task = job.task(path, blocks.run_id)
        number = 9 + 4
        assert blocks.cut.window(number) == (slice(1, 2), slice(256, 512), slice(256, 512))
        result = predict_block(task, number)
        blocks.note_done(number, tiles=result.tiles, clipped=0, nonfinite=0)
        store.block_done(number)
        news.wait()
        assert np.isnan(close_up).all(), "it was looked at before"
        for level, step in zip(levels, (1, 2, 4), strict=True):
            part = (slice(256 // step, 512 // step),) * 2
            there = level[1, 256 // step : 512 // step, 256 // step : 512 // step]
            np.testing.assert_array_equal(there, expected[1, 256:512:step, 256:512:step])
            assert np.isfinite(np.asarray(level[1])).sum() == there.size, part
        do_blocks(job, path, blocks, random.Random(0))
        do_levels(job, path, blocks, random.Random(0))
        blocks.finish()
    store.close(completed=True)
    levels = store.data()
    np.testing.assert_array_equal(np.asarray(levels[0]), expected)
    assert len(levels) == 1 + len(blocks.arrays[1:]), "the levels on disk take over"
    store.dispose()


def test_what_an_earlier_session_saved_is_shown_first_where_somebody_looks(tmp_path: Path) -> None:
    job, news = job_of(), News()
    path = tmp_path / "a.ome.zarr"
    with job.begin(path, lengths=(1, 256, 256)) as blocks:
        do_blocks(job, path, blocks, random.Random(1), n=20)
        blocks.stop()
    store = store_of(job, path, news)
    store.look_at({"T": 2, "Y": slice(0, 100), "X": slice(0, 100)})
    with job.begin(path, resume=True) as blocks:
        store.opened(blocks)
        done = blocks.done
        assert done.sum() == 20
        blocks.stop()
    store.close(completed=False)
    assert store._blocks is not None
    store._blocks.join()
    level = store.data()[-1]
    there = np.isfinite(np.asarray(level))
    for number in range(blocks.cut.n_blocks):
        t, y, x = blocks.cut.window(number)
        part = there[t, y.start // 4 : y.stop // 4, x.start // 4 : x.stop // 4]
        assert part.all() if done[number] else not part.any()
    store.dispose()


class Reading:
    """A saved result that tells what is read of it, and can keep it waiting."""

    dtype = np.dtype(np.float32)

    def __init__(self) -> None:
        self.read: list[tuple[tuple[int, int], ...]] = []
        self.go = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)

    def __getitem__(self, place: tuple[slice, ...]) -> Any:
        self.asked.release()
        assert self.go.acquire(timeout=WAIT_MS / 1000)
        self.read.append(tuple((part.start, part.stop) for part in place))
        return np.zeros([part.stop - part.start for part in place], np.float32)


@pytest.fixture
def blocks_of_volumes(tmp_path: Path) -> Any:
    """A cut into 2 × 8 blocks: 2 time points, stacks of 4 planes, quarters of a plane."""
    job = job_of("TZYX", (2, 8, 512, 512))
    path = tmp_path / "v.ome.zarr"
    with job.begin(path, lengths=(1, 4, 256, 256)) as blocks:
        yield blocks.cut


def test_planes_in_view_come_first_and_a_move_turns_to_others_at_once(
    blocks_of_volumes: Any,
) -> None:
    cut, saved, news = blocks_of_volumes, Reading(), News()
    put: list[Any] = []
    shown = ShownBlocks(cut, saved, 2, lambda at, pixels: put.append(at), news)  # type: ignore[arg-type]
    shown.look_at({"T": 1, "Z": 5})
    shown.add(range(cut.n_blocks))
    saved.asked.acquire(timeout=WAIT_MS / 1000)
    shown.look_at({"T": 0, "Z": slice(0, 8), "Y": slice(300, 310), "X": slice(0, 5)})
    saved.go.release(1000)
    shown.end()
    shown.join()
    first, *others = saved.read
    assert first == ((1, 2), (5, 6), (0, 256), (0, 256))
    # planes that are stored together are read together, of the blocks that are in view
    assert others[:4] == [((0, 1), (z, z + 2), (256, 512), (0, 256)) for z in (0, 2, 4, 6)]
    # and in the end all of it is there, nothing twice
    planes = [(t, z, y, x) for (t, _), zs, (y, _), (x, _) in saved.read for z in range(*zs)]
    assert len(planes) == len(set(planes)) == 2 * 8 * 4
    assert len(put) == len(saved.read)


def test_more_than_can_be_read_along_is_read_where_somebody_looks(blocks_of_volumes: Any) -> None:
    cut, saved, news = blocks_of_volumes, Reading(), News()
    saved.go.release(1000)
    shown = ShownBlocks(cut, saved, 4, lambda at, pixels: None, news, most_bytes=1)  # type: ignore[arg-type]
    shown.add(range(cut.n_blocks))
    shown.look_at({"T": 0, "Z": 0})
    for _ in range(4):
        news.wait()
    shown.look_at({"T": 1, "Z": 7})
    for _ in range(4):
        news.wait()
    shown.end()
    shown.join()
    read = [(t, z) for (t, _), (z, _), _, _ in saved.read]
    assert read.count((0, 0)) >= 4
    assert read.count((1, 7)) == 4
    assert len(read) == 9, "one more, before it was seen to be too much"


def test_what_cannot_be_read_is_left_out(
    blocks_of_volumes: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Reading):
        def __getitem__(self, place: tuple[slice, ...]) -> Any:
            raise OSError("the disk is gone")

    shown = ShownBlocks(blocks_of_volumes, Broken(), 4, lambda at, pixels: None, News())  # type: ignore[arg-type]
    shown.add([0])
    shown.end()
    shown.join()
    assert "block 0 is not shown from afar: the disk is gone" in caplog.text


def test_a_result_that_nobody_shows_any_more_is_read_no_more(blocks_of_volumes: Any) -> None:
    class Layer:
        def put(self, place: Any, pixels: Any) -> None:
            pass

    layer, saved = Layer(), Reading()
    shown = ShownBlocks(blocks_of_volumes, saved, 1, layer.put, News())  # type: ignore[arg-type]
    shown.add([0])
    shown.end()
    assert saved.asked.acquire(timeout=WAIT_MS / 1000)
    del layer
    saved.go.release(1000)
    shown.join()
    assert len(saved.read) == 1


def test_a_layer_keeps_what_fills_it_and_lets_go_of_it(tmp_path: Path) -> None:
    job = job_of()
    store = store_of(job, tmp_path / "a.ome.zarr", News())
    with job.begin(tmp_path / "a.ome.zarr") as blocks:
        store.opened(blocks)
        data, thread = store.data(), store._blocks
        assert thread is not None
        store.close(completed=False)
        del store
        gc.collect()
        assert thread._put() is not None, "what is there goes on being shown"
        del data
        gc.collect()
        assert thread._put() is None
        thread.join()


def test_a_result_that_is_let_go_of_is_read_no_more(tmp_path: Path) -> None:
    job = job_of()
    path = tmp_path / "a.ome.zarr"
    store = store_of(job, path, News())
    with job.begin(path) as blocks:
        store.opened(blocks)
        thread = store._blocks
        assert thread is not None
        store.dispose()
        thread.join()
        store.block_done(0)
        store.look_at({"T": 0})
        store.opened(blocks)
    assert not store.ready
