"""Whole runs of a writer into every kind of place, read back by zarr itself."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.abc.store import Store
from zarr.storage import FsspecStore, LocalStore, MemoryStore, ZipStore

from napari_tessera.writing import WriteTilesZarr, check_target, read_unfinished
from napari_tessera.writing.places.keys import keys_in, read_key
from napari_tessera.writing.places.lock import StoreBusyError
from napari_tessera.writing.places.removal import is_free
from napari_tessera.writing.places.retrying import RetryingStore, StoreError
from napari_tessera.writing.places.target import Target, zarr_target

from .failing_store import FailingStore

NO_WAIT = (0.0, 0.0, 0.0)
PLACES: dict[str, Callable[[Path], Any]] = {
    "folder": lambda folder: folder / "a.ome.zarr",
    "any name": lambda folder: str(folder / "a"),
    "file URL": lambda folder: f"file://{folder}/a.ome.zarr",
    "memory URL": lambda folder: f"memory://{folder.name}/a.ome.zarr",
    "LocalStore": lambda folder: LocalStore(folder / "a.zarr"),
    "MemoryStore": lambda folder: MemoryStore(),
    "FsspecStore": lambda folder: FsspecStore.from_url(f"memory://{folder.name}/b"),
    "FsspecStore on disk": lambda folder: FsspecStore.from_url(f"local://{folder}/a.zarr"),
    "wrapped": lambda folder: FailingStore(LocalStore(folder / "a.zarr")),
}


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return PLACES[request.param](tmp_path)


@pytest.fixture
def image(tiled_image: Any) -> Any:
    return tiled_image("YX", (520, 130), (96, 96), (32, 32))


def run(where: Any, image: Any, tiles: slice, *, completed: bool, **settings: Any) -> None:
    resume = settings.pop("resume", False)
    writer = WriteTilesZarr(where, chunks=(64, 64), **settings)
    writer.open(image.run(resume=resume))
    try:
        for tile in image.tiles()[tiles]:
            writer.write_batch(Path(), [tile])
    finally:
        writer.close(completed)


def pixels_of(store: Store | str) -> np.ndarray:
    array = zarr.open_group(store, mode="r")["0"]
    assert isinstance(array, zarr.Array)
    return np.asarray(array[:])


def chunks_of(store: Store) -> dict[str, bytes | None]:
    return {key: read_key(store, key) for key in sorted(keys_in(store)) if "/c/" in key}


def no_leftovers(folder: Path, target: Target) -> bool:
    hidden = [entry.name for entry in folder.rglob("*") if entry.name.startswith(".")]
    partial = [entry.name for entry in folder.rglob("*.partial")]
    keys = [] if target.zipped else [k for k in keys_in(target.open_store()) if "tessera_" in k]
    return not hidden and not partial and not keys


@pytest.fixture
def wanted(image: Any) -> dict[str, bytes | None]:
    store = MemoryStore()
    run(store, image, slice(None), completed=True)
    return chunks_of(store)


def test_stopped_resumed_and_finished(
    where: Any, tmp_path: Path, image: Any, wanted: dict[str, bytes | None]
) -> None:
    target = zarr_target(where)
    check = where if target.kind == "zarr" and Path(target.name).suffix else target
    check_target(check)
    run(where, image, slice(0, 7), completed=False)
    stored = read_unfinished(where)
    assert stored is not None
    assert (stored.completed, stored.done) == (False, list(range(7)))
    with pytest.raises(FileExistsError, match="resume it, overwrite it"):
        check_target(check)
    check_target(check, resume=True)
    run(where, image, slice(7, None), completed=True, resume=True)
    store = target.open_store(read_only=True)
    assert np.array_equal(pixels_of(store), image.expected)
    assert chunks_of(store) == wanted
    assert len(wanted) == 9 * 3 + 5 * 2
    assert no_leftovers(tmp_path, target)
    stored = read_unfinished(where)
    assert stored is not None
    assert stored.completed
    with pytest.raises(FileExistsError, match="exists: overwrite it, or choose"):
        check_target(check)
    run(where, image, slice(0, 1), completed=False, overwrite=True)
    stored = read_unfinished(where)
    assert stored is not None
    assert stored.done == [0]


@pytest.mark.parametrize("kind", ["folder", "memory URL", "MemoryStore"])
def test_a_second_writer_is_refused_before_it_reads_or_deletes(
    kind: str, tmp_path: Path, image: Any
) -> None:
    where = PLACES[kind](tmp_path)
    first = WriteTilesZarr(where)
    first.open(image.run())
    first.write_batch(Path(), image.tiles()[:5])
    for settings in ({}, {"overwrite": True}):
        with pytest.raises(StoreBusyError, match="is being written by another run of this prog"):
            WriteTilesZarr(where, **settings).open(image.run())
    with pytest.raises(StoreBusyError):
        WriteTilesZarr(where).open(image.run(resume=True))
    first.write_batch(Path(), image.tiles()[5:])
    first.close(True)
    store = zarr_target(where).open_store(read_only=True)
    assert np.array_equal(pixels_of(store), image.expected)


def test_a_zip_is_packed_when_it_is_done_or_stopped(tmp_path: Path, image: Any) -> None:
    path = tmp_path / "a.ome.zarr.zip"
    run(path, image, slice(None), completed=True)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    with ZipStore(path, mode="r") as store:
        assert np.array_equal(pixels_of(store), image.expected)
        assert zarr.open_group(store, mode="r").attrs["napari_tessera"]["state"] == "finished"
    with pytest.raises(ValueError, match="a ZIP file is written when all is done and cannot be"):
        WriteTilesZarr(path).open(image.run(resume=True))
    with pytest.raises(FileExistsError, match="exists: overwrite it"):
        WriteTilesZarr(path).open(image.run())
    before = path.read_bytes()
    writer = WriteTilesZarr(path, overwrite=True)
    writer.open(image.run())
    with pytest.raises(StoreBusyError):
        WriteTilesZarr(path, overwrite=True).open(image.run())
    writer.write_batch(Path(), image.tiles()[:5])
    assert path.read_bytes() == before
    writer.close(False)
    # what is whole is not replaced by less
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before
    path.unlink()
    run(path, image, slice(5), completed=False)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    with ZipStore(path, mode="r") as store:
        assert zarr.open_group(store, mode="r").attrs["napari_tessera"]["state"] == "stopped"
        assert np.isfinite(pixels_of(store)).any()


def test_what_a_killed_run_into_a_zip_left_goes(tmp_path: Path, image: Any) -> None:
    path = tmp_path / "a.ome.zarr.zip"
    folder = zarr_target(path).folder
    assert folder is not None
    zarr.create_group(LocalStore(folder)).create_array("9", shape=(4,), dtype="u1")[:] = 1
    (tmp_path / f".{path.name}.{'0a' * 16}.partial").write_bytes(b"PK")
    check_target(path)
    run(path, image, slice(None), completed=True)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    with ZipStore(path, mode="r") as store:
        assert np.array_equal(pixels_of(store), image.expected)
        assert "9" not in zarr.open_group(store, mode="r")


def test_a_run_outlives_a_change_of_the_folder_that_one_works_in(
    tmp_path: Path, image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    writer = WriteTilesZarr("a.ome.zarr")
    writer.open(image.run())
    monkeypatch.chdir(tmp_path / "other")
    writer.write_batch(Path(), image.tiles())
    monkeypatch.chdir(tmp_path)
    writer.close(True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.ome.zarr", "other"]
    assert np.array_equal(pixels_of(str(tmp_path / "a.ome.zarr")), image.expected)


class FirstTimes:
    """Fails the first n tries of each operation on each key."""

    def __init__(self, n: int) -> None:
        self.n, self.asked = n, dict[tuple[str, str], int]()

    def __call__(self, operation: str, key: str) -> bool:
        self.asked[operation, key] = self.asked.get((operation, key), 0) + 1
        return self.asked[operation, key] % (self.n + 1) != 0


@pytest.mark.parametrize("after", [False, True], ids=["before", "answer lost"])
def test_a_store_that_fails_three_times_each_time_gets_the_same_bytes(
    image: Any, wanted: dict[str, bytes | None], after: bool
) -> None:
    inner = MemoryStore()
    failing = FailingStore(inner, fails=FirstTimes(3), after=after)
    run(RetryingStore(failing, delays=NO_WAIT), image, slice(None), completed=True)
    assert sum(failing.failed.values()) > 100
    assert chunks_of(inner) == wanted
    assert not any("tessera_" in key for key in keys_in(inner))


@pytest.mark.parametrize("broken_from", [9, 25, 38])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionResetError("reset by peer"), "failed 4 times, at last with: ConnectionReset"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            r"no space left on .*: .*make room and resume",
        ),
    ],
    ids=["network", "full"],
)
def test_a_store_that_fails_for_good_is_told_and_gone_on_with(
    image: Any,
    wanted: dict[str, bytes | None],
    broken_from: int,
    error: OSError,
    text: str,
) -> None:
    inner, asked, mended = MemoryStore(), [0], False

    def fails(operation: str, key: str) -> bool:
        if operation not in ("set", "delete") or mended:
            return False
        asked[0] += 1
        return asked[0] > broken_from

    store = RetryingStore(FailingStore(inner, fails=fails, error=lambda: error), delays=NO_WAIT)
    with pytest.raises(StoreError, match=text) as caught:
        run(store, image, slice(None), completed=True)
    assert "\n" not in str(caught.value)
    mended = True
    left = read_unfinished(inner)
    done = [] if left is None else left.done
    for tile in done:
        at = image.region.place(image.block(tile))[1]
        assert np.array_equal(pixels_of(inner)[at], image.expected[at])
    # the heartbeat could not be removed, but its writer is known to have ended
    assert "tessera_heartbeat/zarr.json" in keys_in(inner)
    writer = WriteTilesZarr(store, chunks=(64, 64))
    writer.open(image.run(resume=not is_free(inner)))
    writer.write_batch(Path(), [t for n, t in enumerate(image.tiles()) if n not in done])
    writer.close(True)
    assert chunks_of(inner) == wanted
    assert not any("tessera_" in key for key in keys_in(inner))
