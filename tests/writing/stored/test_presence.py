"""Images that somebody takes away while they are written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zarr
from zarr.storage import MemoryStore

from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.stored.image_run import OmeImageRun
from napari_tessera.writing.stored.image_store import ImageOptions

from .writing_images import write

GONE = "was removed, moved or replaced while it was written: resume it where it is now, or start"
AWAY: dict[str, Callable[[Path, Any], object]] = {
    "removed": lambda path, image: shutil.rmtree(path),
    "moved": lambda path, image: path.rename(path.with_name("moved.ome.zarr")),
    "replaced": lambda path, image: replace(path, image),
    "emptied": lambda path, image: [shutil.rmtree(path), path.mkdir()],
    "half": lambda path, image: shutil.rmtree(path / "0"),
}


def replace(path: Path, image: Any) -> None:
    """As somebody does who knows nothing of locks."""
    write(path.with_name("other.ome.zarr"), image, order=[0])
    shutil.rmtree(path)
    path.with_name("other.ome.zarr").rename(path)


def files(folder: Path) -> dict[Path, bytes]:
    """All but the lock."""
    return {
        file: file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.endswith(".lock")
    }


@pytest.mark.parametrize("how", AWAY)
@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("when", ["add", "flush", "close"])
def test_nothing_is_written_where_an_image_is_gone(
    tmp_path: Path, tiled_image: Any, how: str, version: str, when: str
) -> None:
    image = tiled_image("YX", (600, 90), (128, 90), (0, 0))
    path = tmp_path / "a.ome.zarr"
    writer = OmeImageRun(path, image.run(), options=ImageOptions(version))
    writer.add(image.tiles([0, 1]))
    AWAY[how](path, image)
    there = files(tmp_path)
    with pytest.raises(StoreError, match=GONE):
        {
            "add": lambda: writer.add(image.tiles([2, 3])),
            "flush": writer.flush,
            "close": lambda: writer.close(completed=True),
        }[when]()
    writer.close(completed=False)
    assert files(tmp_path) == there
    assert list(tmp_path.glob(".*")) == []


def test_what_is_moved_is_resumed_where_it_is(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (600, 90), (128, 90), (0, 0))
    path = tmp_path / "a.ome.zarr"
    writer = OmeImageRun(path, image.run())
    writer.add(image.tiles([0]))
    moved = path.rename(tmp_path / "b.ome.zarr")
    with pytest.raises(StoreError, match=GONE):
        writer.close(completed=False)
    write(moved, image, resume=True)
    assert zarr.open_group(moved, mode="r").attrs["napari_tessera"]["state"] == "finished"


def test_a_store_that_is_emptied_is_no_finished_one(tiled_image: Any) -> None:
    image = tiled_image("YX", (600, 90), (128, 90), (0, 0))
    store = MemoryStore()
    writer = OmeImageRun(store, image.run())
    writer.add(image.tiles())
    heart = {key: value for key, value in store._store_dict.items() if "heartbeat" in key}
    store._store_dict.clear()
    store._store_dict.update(heart)
    with pytest.raises(StoreError, match=GONE):
        writer.close(completed=True)
    assert "zarr.json" not in store._store_dict
