"""Images in ZIP files on disks that are full, and in the place of others."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore, ZipStore

from napari_tessera.writing import read_unfinished
from napari_tessera.writing.places import removal
from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.stored.image_run import OmeImageRun
from napari_tessera.writing.stored.image_store import ImageOptions

from .writing_images import write

SMALL = ImageOptions(chunks=(64, 64), compression="none", pyramid=False)
resource = pytest.importorskip("resource", reason="sizes of files cannot be limited here")
Limit = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def limit() -> Limit:
    """Files may grow to so many bytes, as on a disk that is full."""

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, handler)

    return limited


@pytest.fixture
def image(tiled_image: Any) -> Any:
    return tiled_image("YX", (300, 300), (64, 64), (0, 0))


def pixels(path: Path) -> np.ndarray:
    with ZipStore(path, mode="r") as store:
        array = zarr.open_group(store, mode="r")["0"]
        assert isinstance(array, zarr.Array)
        return np.asarray(array[:])


def test_an_image_that_cannot_be_packed_is_packed_by_the_next_run(
    tmp_path: Path, image: Any, limit: Limit
) -> None:
    path = tmp_path / "a.ome.zarr.zip"
    folder = tmp_path / ".a.ome.zarr.zip.unpacked"
    with limit(100_000), pytest.raises(StoreError, match="cannot be packed") as full:
        write(path, image, options=SMALL)
    assert str(folder) in str(full.value)
    assert "resume" not in str(full.value)
    assert list(tmp_path.iterdir()) == [folder]
    with limit(100_000), pytest.raises(StoreError, match="cannot be packed"):
        write(path, image, options=SMALL, overwrite=True)
    assert list(tmp_path.iterdir()) == [folder]
    with pytest.raises(
        FileExistsError, match="was predicted whole by an earlier run, and is packed now"
    ):
        write(path, image, options=SMALL)
    assert list(tmp_path.iterdir()) == [path]
    assert np.array_equal(pixels(path), image.expected)
    write(path, image, options=SMALL, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_run_that_was_through_leaves_no_ledger_in_its_file(
    tmp_path: Path, image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.ome.zarr.zip"

    def killed(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("napari_tessera.writing.stored.ledger.Ledger.remove", killed)
        with pytest.raises(KeyboardInterrupt):
            write(path, image, options=SMALL)
    with pytest.raises(FileExistsError, match="is packed now"):
        write(path, image, options=SMALL)
    with ZipStore(path, mode="r") as store:
        assert sorted(zarr.open_group(store, mode="r")) == ["0"]


@pytest.mark.parametrize("before", [False, True])
def test_what_a_full_disk_left_can_be_gone_on_with_under_the_name_that_is_told(
    tmp_path: Path, image: Any, limit: Limit, before: bool
) -> None:
    path = tmp_path / "a.ome.zarr.zip"
    if before:
        write(path, image, options=SMALL, output_dtype=np.dtype("uint8"))
    there = path.read_bytes() if before else b""
    writer = OmeImageRun(path, image.run(), overwrite=before, options=SMALL)
    writer.add(image.tiles(range(9)))
    with limit(10_000):
        with pytest.raises(StoreError) as full:
            writer.add(image.tiles(range(9, 12)))
        folder = tmp_path / ".a.ome.zarr.zip.unpacked"
        assert str(full.value) == (
            f"no space left on {path}: 9 tiles are saved; make room, rename the folder {folder} "
            "to a.ome.zarr and resume that"
        )
        with pytest.raises(StoreError):
            writer.close(completed=False)
    assert sorted(tmp_path.iterdir()) == [folder, *([path] if before else [])]
    assert not before or path.read_bytes() == there
    renamed = folder.rename(tmp_path / "a.ome.zarr")
    stored = read_unfinished(renamed)
    assert stored is not None
    assert stored.done == list(range(9))
    write(renamed, image, resume=True, done=bytearray(n < 9 for n in range(25)))
    assert np.array_equal(zarr.open_group(LocalStore(renamed), mode="r")["0"][:], image.expected)


@pytest.mark.parametrize("order", [[], [0, 3]])
def test_a_whole_file_is_not_replaced_by_a_run_that_was_stopped(
    tmp_path: Path, image: Any, order: list[int]
) -> None:
    path = tmp_path / "a.ome.zarr.zip"
    write(path, image, options=SMALL)
    there = path.read_bytes()
    write(path, image, options=SMALL, overwrite=True, order=order)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == there


def test_a_kill_while_the_folder_is_removed_blocks_no_name(
    tmp_path: Path, image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.ome.zarr.zip"

    def killed(folder: Path) -> None:
        (folder / "zarr.json").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(removal, "shutil", SimpleNamespace(rmtree=killed))
        with pytest.raises(KeyboardInterrupt):
            write(path, image, options=SMALL)
    assert np.array_equal(pixels(path), image.expected)
    write(path, image, options=SMALL, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
