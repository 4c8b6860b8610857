"""Chunks that somebody deleted, or that a crash left empty or damaged, before a run goes on."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from zarr.storage import MemoryStore

from napari_tessera import predict, predict_to_disk
from napari_tessera.prediction.pipeline import Progress
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.chunks import chunking
from napari_tessera.writing.chunks.keys import stored_chunks
from napari_tessera.writing.stored.image_run import OmeImageRun
from napari_tessera.writing.stored.image_store import ImageOptions
from napari_tessera.writing.stored.lost_chunks import kept_chunks

from .writing_images import check_levels, write

SHAPES = [(1030, 701), (515, 351), (258, 176)]


@pytest.mark.parametrize("damage", ["deleted", "emptied", "cut", "zeroed", "overwritten"])
@pytest.mark.parametrize("level", ["0", "1"])
@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_what_was_lost_is_predicted_again(
    tmp_path: Path, tiled_image: Any, damage: str, level: str, version: str
) -> None:
    image = tiled_image("YX", (1030, 701), (200, 200), (20, 20))
    path = tmp_path / "a.ome.zarr"
    write(path, image, order=range(20), options=ImageOptions(version, chunks=(200, 180)))
    chunk = path / level / ("c/0/0" if version == "0.5" else "0/0")
    if damage == "deleted":
        chunk.unlink()
    else:
        there = chunk.read_bytes()
        left = {
            "emptied": b"",
            "cut": there[: len(there) // 2],
            "zeroed": bytes(len(there)),
            "overwritten": np.random.default_rng(1).bytes(len(there)),
        }
        chunk.write_bytes(left[damage])
    asked: list[int] = []
    done = bytearray(tile < 20 for tile in range(image.n_tiles))
    run = image.run(resume=True, done=done, predict_again=asked.extend)
    writer = OmeImageRun(path, run)
    stored = read_unfinished(path)
    assert stored is not None
    assert sorted([*stored.done, *asked]) == list(range(20))
    assert (0 in asked) == (level == "0")
    assert len(asked) < 8
    for tile in (*range(20, image.n_tiles), *asked):
        writer.add([image.tile(tile)])
    writer.close(completed=True)
    group = zarr.open_group(path, mode="r")
    assert group.attrs["napari_tessera"]["state"] == "finished"
    check_levels(group, SHAPES, image.expected)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("compression", ["zstd", "lz4", "gzip", "none"])
@pytest.mark.parametrize(("version", "sharded"), [("0.5", False), ("0.5", True), ("0.4", False)])
def test_of_what_was_written_nothing_is_damaged(
    tmp_path: Path,
    tiled_image: Any,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    sharded: bool,
    compression: str,
    dtype: str,
) -> None:
    if sharded:
        # as if the image were large
        monkeypatch.setattr(chunking, "MANY_CHUNKS", 10)
        monkeypatch.setattr(chunking, "SHARD_BYTES", 2**16)
    image = tiled_image("YX", (430, 301), (100, 100), (20, 20))
    path, options = tmp_path / "a.ome.zarr", ImageOptions(version, compression, chunks=(70, 90))
    write(path, image, order=range(15), options=options, output_dtype=np.dtype(dtype))
    levels = [array for _, array in zarr.open_group(path, mode="r+").arrays() if array.ndim == 2]
    assert (levels[0].shards is not None) == sharded
    for array in levels:
        before = stored_chunks(array)
        assert before
        assert np.argwhere(kept_chunks(array)).tolist() == sorted(map(list, before))
        assert stored_chunks(array) == before


def test_where_nobody_can_be_asked_it_is_told_and_the_next_run_predicts_it(
    tiled_image: Any,
) -> None:
    image = tiled_image("YX", (60, 50), (30, 30), (0, 0))
    store = MemoryStore()
    write(store, image, order=[0, 1], options=ImageOptions(chunks=(30, 30)))
    del store._store_dict["0/c/0/1"]
    with pytest.raises(ValueError, match="1 tiles that this run counts as done are not in"):
        OmeImageRun(store, image.run(resume=True, done=bytearray([1, 1, 0, 0])))
    stored = read_unfinished(store)
    assert stored is not None
    assert stored.done == [0]
    write(store, image, resume=True, done=bytearray([1, 0, 0, 0]))
    check_levels(zarr.open_group(store, mode="r"), [(60, 50)], image.expected)


def test_a_whole_run_predicts_again_what_was_lost(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 4000, (300, 260)).astype(np.uint16)
    path, cancel = tmp_path / "a.ome.zarr", Event()

    def stop(progress: Progress) -> None:
        if progress.done >= 12:
            cancel.set()

    settings: dict[str, Any] = {"patch_size": 64, "overlaps": 16}
    predict_to_disk(
        image, halve, path, **settings, chunks=(64, 64), batch_size=1, cancel=cancel, progress=stop
    )
    before = read_unfinished(path)
    assert before is not None
    assert 0 in before.done
    (path / "0/c/0/0").unlink()
    predict_to_disk(image, halve, path, resume=True)
    group = zarr.open_group(path, mode="r")
    assert group.attrs["napari_tessera"]["state"] == "finished"
    np.testing.assert_array_equal(group["0"][:], predict(image, halve, **settings))


def halve(pixels: torch.Tensor) -> torch.Tensor:
    return pixels / 2
