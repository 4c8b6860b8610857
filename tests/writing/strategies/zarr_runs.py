"""What the tests of WriteTilesZarr write, and what they read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing import RunInfo, WriteStrategy, WriteTilesZarr
from napari_tessera.writing.ome.order import OmeOrder

SOURCE = "/data/in.zarr/g/a"
"""Where the image of `volume` comes from."""

METADATA = ImageMetadata(
    axes="TCZYX",
    scale=(2.0, 1.0, 0.5, 0.1, 0.1),
    units=("second", None, "micrometer", "micrometer", "micrometer"),
    translation=(0.0, 0.0, 0.0, 5.0, 0.0),
    channel_names=("DAPI", "GFP"),
)


def write(path: Path, image: Any, *, order: Any = None, batch: int = 3, **options: Any) -> None:
    """Write tiles into an OME-Zarr image; all of them unless an order says which."""
    run_options = {
        name: options.pop(name) for name in ("output_dtype", "resume") if name in options
    }
    writer = WriteTilesZarr(path, chunks=(20, 30), **options)
    assert isinstance(writer, WriteStrategy)
    writer.open(image.run(**run_options))
    tiles = image.tiles(order)
    for start in range(0, len(tiles), batch):
        writer.write_batch(path.parent, tiles[start : start + batch])
    writer.close(completed=order is None or len(order) == image.n_tiles)


def read_back(path: Path, image: Any) -> tuple[np.ndarray, np.ndarray]:
    """The array as plain zarr gives it, and what it should be."""
    on_disk = zarr.open_array(str(path / "0"), mode="r")[:]
    order = OmeOrder(image.region.axes, image.region.selected_shape)
    expected = order.to_disk(image.expected)
    assert on_disk.shape == expected.shape
    return np.asarray(on_disk), expected


def made(tmp_path: Path, name: str) -> Path:
    """Place of an image in a folder of its own, which is made."""
    (tmp_path / name).mkdir(exist_ok=True)
    return tmp_path / name / "x.ome.zarr"


def run_into(
    out: Path, image: Any, order: Any = None, *, completed: bool = True, **options: Any
) -> WriteTilesZarr:
    """Write tiles into an array named after the image's; all of them unless an order says which."""
    writer = WriteTilesZarr(**options)
    writer.open(image.run(dirpath=out))
    for tile in range(image.n_tiles) if order is None else order:
        writer.write_batch(out, [image.tile(tile)])
    writer.close(completed=completed)
    return writer


def stored(out: Path, name: str = "a") -> zarr.Array[Any]:
    """An array that was written below a folder."""
    return zarr.open_array(str(out / "in_output.zarr" / "g" / name), mode="r")


def said(out: Path) -> dict[str, Any]:
    """What the array says of its run."""
    attribute: dict[str, Any] = stored(out).attrs.asdict()["napari_tessera"]
    return attribute


class Changed:
    """An image whose run is told something else."""

    def __init__(self, image: Any, **changes: Any) -> None:
        self._image, self._changes = image, changes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._image, name)

    def run(self, **changes: Any) -> RunInfo:
        run: RunInfo = self._image.run(**{**self._changes, **changes})
        return run
