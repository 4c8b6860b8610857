"""What strategies that write files know before a run, and what they keep when writing fails."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_tessera.writing import (
    CachedTiles,
    WriteImage,
    write_imagej_tiff,
    write_npy,
    write_ome_tiff,
    write_ome_zarr,
)


@pytest.mark.parametrize("completed", [True, False])
def test_an_image_that_could_not_be_written_is_not_forgotten(
    tmp_path: Path, tiled_image: Any, completed: bool
) -> None:
    image = tiled_image("YX", (33, 21), (16, 16), (4, 4), source="a.tif")
    begun = tiled_image("YX", (33, 21), (16, 16), (4, 4), source="b.tif")
    attempts: list[Path] = []

    def failing(file_path: Path, img: np.ndarray) -> None:
        attempts.append(file_path)
        if len(attempts) < 4:
            raise OSError(28, "No space left on device")
        np.save(file_path, img)

    strategy = CachedTiles(failing, ".npy", {})
    strategy.open(image.run(dirpath=tmp_path))
    strategy.write_batch(tmp_path, begun.tiles([0]))
    # as the pipeline does, and who drives it by hand
    with pytest.raises(OSError, match="No space left"):
        strategy.write_batch(tmp_path, image.tiles())
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            strategy.close(completed)
    assert not list(tmp_path.iterdir())
    strategy.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), image.expected)
    strategy.close(completed=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_what_is_no_file_is_told_before_anything_is_predicted(
    tmp_path: Path, tiled_image: Any
) -> None:
    image = tiled_image("YX", (33, 21), (16, 16), (4, 4), source="a.tif")
    (tmp_path / "a.npy").mkdir()
    strategy = CachedTiles(write_npy, ".npy", {}, overwrite=True)
    with pytest.raises(FileExistsError, match="is no file, so it is never replaced") as caught:
        strategy.open(image.run(dirpath=tmp_path))
    assert "\n" not in str(caught.value)
    with pytest.raises(FileExistsError, match="is no file"):
        strategy.write_batch(tmp_path, image.tiles([0]))
    (tmp_path / "a.ome.zarr").mkdir()
    (tmp_path / "a.ome.zarr" / "notes.txt").write_text("mine")
    strategy = CachedTiles(write_ome_zarr, ".ome.zarr", {}, overwrite=True)
    with pytest.raises(FileExistsError, match="is no Zarr store, so it is never replaced"):
        strategy.open(image.run(dirpath=tmp_path))
    (tmp_path / "a.ome.zarr" / "notes.txt").unlink()
    for _ in range(2):
        strategy.open(image.run(dirpath=tmp_path))
        strategy.write_batch(tmp_path, image.tiles())
        strategy.close(completed=True)
    assert (tmp_path / "a.ome.zarr" / "0").exists()


@pytest.mark.parametrize(
    ("write", "extension", "dtype", "kwargs", "message"),
    [
        (write_imagej_tiff, ".tif", "int32", {}, "TIFF holds no int32: ImageJ reads uint8"),
        (partial(write_imagej_tiff, overwrite=False), ".tif", "int32", {}, "holds no int32"),
        (write_ome_tiff, ".ome.tif", "int64", {}, "OME-TIFF holds no int64: write float32"),
        (write_ome_tiff, ".ome.tif", "same", {}, "OME-TIFF holds no int64: write float32"),
        (write_ome_tiff, ".ome.tif", None, {}, "OME-TIFF holds no int64: write float32"),
        (write_ome_tiff, ".ome.tif", "uint8", {"compression": "zip"}, "compression 'zip': use"),
        (write_ome_zarr, ".ome.zarr", "uint8", {"compression": "zip"}, "compression 'zip': use"),
    ],
)
def test_what_a_format_does_not_hold_is_told_before_anything_is_predicted(
    tmp_path: Path,
    tiled_image: Any,
    write: Any,
    extension: str,
    dtype: Any,
    kwargs: dict[str, Any],
    message: str,
) -> None:
    image = tiled_image("YX", (33, 21), (16, 16), (4, 4), source="a.tif")
    run = image.run(dirpath=tmp_path, input_dtype="int64", output_dtype=np.dtype("int64"))
    strategy = CachedTiles(write, extension, kwargs, dtype=dtype)
    with pytest.raises(ValueError, match=message) as caught:
        strategy.open(run)
    assert "\n" not in str(caught.value)
    # who gives no run knows it with the first tile
    tile = image.tile(0)._replace(dtype="int64", data=image.tile(0).data.astype(np.int64))
    with pytest.raises(ValueError, match=message):
        CachedTiles(write, extension, kwargs, dtype=dtype).write_batch(tmp_path, [tile])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("strategy", [CachedTiles, WriteImage])
def test_asked_before_it_is_opened_it_says_the_same_and_changes_nothing(
    tmp_path: Path, tiled_image: Any, strategy: Any
) -> None:
    image = tiled_image("YX", (33, 21), (33, 21), (0, 0), source="a.tif")
    writer = strategy(write_npy, ".npy", {})
    run = image.run(dirpath=tmp_path)
    writer.check(run)
    writer.open(run)
    writer.write_batch(tmp_path, image.tiles())
    writer.close(completed=True)
    refused = [
        (FileExistsError, run),
        (ValueError, image.run(dirpath=tmp_path / "out", done=bytearray(b"\1"))),
    ]
    if strategy is WriteImage:
        cut = tiled_image("YX", (33, 21), (16, 16), (4, 4), source="a.tif")
        refused.append((ValueError, cut.run(dirpath=tmp_path / "out")))
    for error, other in refused:
        told = []
        for ask in (writer.check, writer.open):
            with pytest.raises(error) as caught:
                ask(other)
            told.append(str(caught.value))
        assert told[0] == told[1]
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
