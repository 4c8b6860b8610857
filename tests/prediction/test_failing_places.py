"""Places that fill up, fail now and then, or go away while a run writes there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from torch import nn
from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore, WrapperStore

from napari_tessera import load_model, open_stack, plan_prediction, predict_to_disk
from napari_tessera.prediction import Progress
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.places.retrying import RetryingStore, StoreError

PATCH = {"patch_size": 60, "overlaps": 20, "batch_size": 1, "torch_threads": 1}
N_TILES = 15 * 15
CHUNKS = (64, 64)


@pytest.fixture(scope="module")
def image() -> Any:
    noise = np.random.default_rng(0).integers(0, 4000, (620, 620)).astype(np.uint16)
    return open_stack(noise, "YX")


@pytest.fixture(scope="module")
def model() -> Any:
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.constant_(layer.weight, 1 / 9)
    return load_model(layer.eval())


@pytest.fixture(scope="module")
def whole(image: Any, model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "x.ome.zarr"
    predict_to_disk(image, model, path, chunks=CHUNKS, **PATCH)
    return path


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a store, but for the group's: it tells the time."""
    return {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and (name := file.relative_to(folder).as_posix()) != "zarr.json"
    }


def all_in_ledger_are_there(path: Path, plan: Any) -> int:
    """Look at every tile that a stopped store's ledger names; how many there are."""
    group = zarr.open_group(path, mode="r")
    assert group.attrs["napari_tessera"]["completed"] is False
    there = np.isfinite(np.asarray(group["0"][:]))
    done = np.flatnonzero(np.asarray(group["tessera_ledger"][:]))
    assert all(there[plan.tiles.block(int(tile))].all() for tile in done)
    return int(done.size)


class FailingStore(WrapperStore[Store]):
    """Raises an error where it is told to, before anything of a value is written."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.n_sets = 0
        self.n_failed = 0
        self.every: int | None = None
        """Fail each so-manieth write."""
        self.after: int | None = None
        """Fail all writes after so many."""
        self.error: OSError = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    def _with_store(self, store: Store) -> FailingStore:
        copy = FailingStore(store)
        copy.__dict__.update({**self.__dict__, "_store": store})
        return copy

    async def set(self, key: str, value: Buffer) -> None:
        self.n_sets += 1
        if (self.every and self.n_sets % self.every == 0) or (
            self.after is not None and self.n_sets > self.after
        ):
            self.n_failed += 1
            raise self.error
        await super().set(key, value)


def failing(path: Path) -> tuple[FailingStore, RetryingStore]:
    """A store that fails, and the same as one that tries again without waiting."""
    store = FailingStore(LocalStore(path))
    return store, RetryingStore(store, name="the server", delays=(0.0, 0.0, 0.0))


def test_writes_that_fail_in_passing_are_tried_again(
    image: Any, model: Any, whole: Path, tmp_path: Path
) -> None:
    store, retrying = failing(tmp_path / "x.ome.zarr")
    store.every = 3
    given = predict_to_disk(image, model, retrying, chunks=CHUNKS, **PATCH)
    assert given is retrying
    assert store.n_failed > 30
    assert hashes(tmp_path / "x.ome.zarr") == hashes(whole)


@pytest.mark.parametrize(
    ("error", "message", "tries"),
    [
        (
            ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
            r"the server failed 4 times, at last with: .*reset by peer; resume when it works again",
            4,
        ),
        (
            TimeoutError("timed out"),
            r"the server failed 4 times, at last with: TimeoutError: timed out; resume",
            4,
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            r"no space left on .*: \d+ tiles are saved; make room and resume",
            1,
        ),
        (
            OSError(errno.EROFS, "Read-only file system"),
            r"the server may not be written to or read \(.*Read-only.*\): mend its permissions",
            1,
        ),
    ],
    ids=["network", "timeout", "full", "read-only"],
)
def test_a_place_that_fails_for_good_is_told_and_gone_on_with(
    image: Any,
    model: Any,
    whole: Path,
    tmp_path: Path,
    error: OSError,
    message: str,
    tries: int,
) -> None:
    path = tmp_path / "x.ome.zarr"
    store, retrying = failing(path)
    store.error, store.after = error, 60
    with pytest.raises(StoreError, match=message) as caught:
        predict_to_disk(image, model, retrying, chunks=CHUNKS, **PATCH)
    assert "\n" not in str(caught.value)
    plan = plan_prediction(image, model, **PATCH)
    done = all_in_ledger_are_there(path, plan)
    assert 0 < done < N_TILES
    # the first write that failed was tried so often, and nothing else but what closing writes
    assert store.n_failed >= tries
    if "no space" in message:
        assert f"{done} tiles are saved" in str(caught.value)

    store.after = None
    finished: list[int] = []
    predict_to_disk(
        image,
        model,
        retrying,
        resume=True,
        progress=lambda state: finished.extend(state.finished),
    )
    assert len(finished) == N_TILES - done
    assert hashes(path) == hashes(whole)


def test_errors_at_every_kind_of_write_leave_a_true_ledger(
    image: Any, model: Any, whole: Path, tmp_path: Path
) -> None:
    """From the first file of the store to its last."""
    n_files = len(hashes(whole))
    plan = plan_prediction(image, model, region={"Y": slice(0, 130)}, **PATCH)
    counted, retrying = failing(tmp_path / "counted.ome.zarr")
    predict_to_disk(image, model, retrying, plan=plan, chunks=CHUNKS)
    expected = hashes(tmp_path / "counted.ome.zarr")
    assert 20 < counted.n_sets < 4 * n_files
    for after in range(0, counted.n_sets, 7):
        path = tmp_path / f"{after}.ome.zarr"
        store, retrying = failing(path)
        store.after = after
        with pytest.raises(StoreError, match="the server failed 4 times"):
            predict_to_disk(image, model, retrying, plan=plan, chunks=CHUNKS)
        stored = read_unfinished(path)
        if stored is not None and stored.done and not stored.completed:
            assert all_in_ledger_are_there(path, plan) == len(stored.done)
        store.after = None
        predict_to_disk(image, model, retrying, plan=plan, chunks=CHUNKS, resume=True)
        assert hashes(path) == expected, after


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB of its own; needs Linux and the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small disk: see the failing stores instead")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_told_and_gone_on_with_when_there_is_room(
    small_disk: Path, image: Any, model: Any, whole: Path
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(3 * 2**20))
    path = small_disk / "x.ome.zarr"
    with pytest.raises(
        OSError,
        match=r"no space left on .*x\.ome\.zarr: \d+ tiles are saved; make room and resume",
    ):
        predict_to_disk(image, model, path, chunks=CHUNKS, **PATCH)
    plan = plan_prediction(image, model, **PATCH)
    done = all_in_ledger_are_there(path, plan)
    assert 0 < done < N_TILES
    # still full: the same again, and nothing is lost
    with pytest.raises(OSError, match="no space left"):
        predict_to_disk(image, model, path, resume=True)
    assert all_in_ledger_are_there(path, plan) >= done

    filler.unlink()
    predict_to_disk(image, model, path, resume=True)
    assert hashes(path) == hashes(whole)
    assert [entry.name for entry in small_disk.iterdir()] == ["x.ome.zarr"]


@pytest.mark.parametrize("memory_limit", [None, 0], ids=["in memory", "scratch"])
@pytest.mark.parametrize("name", ["x.ome.tif", "x.npy"])
def test_a_file_that_does_not_fit_leaves_nothing(
    small_disk: Path, image: Any, model: Any, name: str, memory_limit: int | None
) -> None:
    (small_disk / "filler").write_bytes(bytes(3 * 2**20 + 2**19))
    with pytest.raises(OSError, match=rf"no space left for .*{name}.*: make room, or choose"):
        predict_to_disk(image, model, small_disk / name, memory_limit=memory_limit, **PATCH)
    assert [entry.name for entry in small_disk.iterdir()] == ["filler"]


def test_a_store_whose_folder_goes_away_is_told(image: Any, model: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "x.ome.zarr"

    def removing(state: Progress) -> None:
        gone = 0
        while state.done >= 20 and folder.is_dir():
            # a file is in the way from now on: whatever is written next fails; a writer at work
            # may have made the folder anew in between, and two threads may tell at once
            with contextlib.suppress(FileNotFoundError):
                folder.rename(tmp_path / f"gone {gone} {threading.get_ident()}")
            gone += 1
            with contextlib.suppress(FileExistsError):
                folder.touch(exist_ok=False)

    with pytest.raises(OSError, match=r"x\.ome\.zarr was removed, moved or replaced"):
        predict_to_disk(image, model, path, progress=removing, chunks=CHUNKS, **PATCH)
