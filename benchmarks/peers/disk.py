"""From Zarr to Zarr: this package, CAREamics, and a bare copy of the same chunks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from benchmarks.peers.checkpoint import noisy_image
from benchmarks.peers.ways import OVERLAP, PATCH

from napari_tessera import predict_to_disk
from napari_tessera.models import Model
from napari_tessera.writing.ome.arrays import create_pixel_array

CHUNK = 256
NAME = "image"


class Disk:
    """A Zarr image in a folder, and where results go, which are removed by `clear`.

    Parameters
    ----------
    folder : pathlib.Path
        Where both lie.
    size : int
        Edge of the image, in pixels.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self.group = folder / f"in{size}.zarr"
        self.results = folder / "results"
        self._numbers = count()
        # chunks of noise, every 2,048 pixels the same ones: they are packed one by one
        self.image = np.tile(noisy_image(min(size, 2048)), 2 * (max(1, size // 2048),))
        if not self.group.exists():
            array = zarr.create_group(self.group).create_array(
                NAME, shape=self.image.shape, chunks=(CHUNK, CHUNK), dtype=self.image.dtype
            )
            array[:] = self.image
        self.clear()

    @property
    def source(self) -> Path:
        """The array."""
        return self.group / NAME

    def clear(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.results, ignore_errors=True)
        self.results.mkdir()

    def result(self) -> Path:
        """A place that nothing was written to."""
        return self.results / f"{next(self._numbers)}.ome.zarr"

    def ours(self, model: Model, *, dtype: str = "input", **settings: Any) -> Callable[[], Any]:
        """Into an OME-Zarr with its levels, planning included."""
        return lambda: predict_to_disk(
            self.source, model, self.result(), output_dtype=dtype, batch_size=1, **settings
        )

    def bare(self, dtype: str = "uint16") -> Callable[[], Any]:
        """Read a chunk, write a chunk packed as ours are; one after the other, no levels."""

        def run() -> None:
            source = zarr.open_array(self.source, mode="r")
            group = zarr.create_group(self.result())
            array = create_pixel_array(
                group, "0", axes="YX", shape=source.shape, chunks=(CHUNK, CHUNK), dtype=dtype
            )
            for y, x in product(range(0, self.size, CHUNK), repeat=2):
                place = (slice(y, y + CHUNK), slice(x, x + CHUNK))
                array[place] = source[place].astype(dtype, copy=False)

        return run

    def careamics(self, careamist: Any, checkpoint: Path, workers: int | None) -> Callable[[], Any]:
        """CAREamics' `predict_to_disk`, float32."""

        def run() -> None:
            careamist.predict_to_disk(
                self.group,
                prediction_dir=self.result(),
                batch_size=1,
                tile_size=(PATCH, PATCH),
                tile_overlap=(OVERLAP, OVERLAP),
                axes="YX",
                data_type="zarr",
                num_workers=workers,
                checkpoint=checkpoint,
            )

        return run

    def written(self) -> np.ndarray:
        """The one array of full size among the results, read."""
        found = [
            path.parent
            for path in self.results.rglob("zarr.json")
            if '"node_type": "array"' in path.read_text("utf-8")
        ]
        arrays = [zarr.open_array(path, mode="r") for path in found]
        (full,) = (array for array in arrays if array.shape[-1] == self.size and array.ndim > 1)
        return np.squeeze(full[...])


class Mean(torch.nn.Module):
    """A network of no cost: the mean of 3 × 3 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = torch.nn.Conv2d(1, 1, 3, padding=1, bias=False)
        torch.nn.init.constant_(self.mean.weight, 1 / 9)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.mean(batch)


def careamist_of_mean(checkpoint: Path, folder: Path) -> Any:
    """CAREamics with that network in the place of the checkpoint's."""
    from careamics import CAREamist

    careamist = CAREamist(checkpoint_path=checkpoint, work_dir=folder, enable_progress_bar=False)
    careamist.model.model = Mean()
    # the checkpoint is loaded again by each prediction, and has no such network
    careamist.model.strict_loading = False
    return careamist
