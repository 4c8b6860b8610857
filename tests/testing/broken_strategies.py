"""A right write strategy in a few lines, and versions of it that are wrong in one way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_tessera.writing import ArrayWriter, ImageRegionData, RunInfo, fill_value
from napari_tessera.writing.region_data import layout_of
from napari_tessera.writing.strategies.held_image import HeldImage

Broken = Callable[[RunInfo], Any]


class Right:
    """One npy file an image, in the run's region and type."""

    def __init__(self, run: RunInfo) -> None:
        self._run: RunInfo | None = None
        self._held: dict[str, tuple[int, np.ndarray, ArrayWriter]] = {}

    def open(self, run: RunInfo) -> None:
        self._run = run

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        for prediction in predictions:
            self.take(dirpath, prediction)

    def take(self, dirpath: Path, prediction: ImageRegionData) -> None:
        name = str(prediction.source)
        if name not in self._held:
            self._held[name] = self.begun(prediction)
        count, array, writer = self._held[name]
        writer.write_batch(dirpath, [prediction])
        self._held[name] = (count - 1, array, writer)
        if count == 1:
            self.save(self.path(dirpath, name), array)

    def begun(self, prediction: ImageRegionData) -> tuple[int, np.ndarray, ArrayWriter]:
        if self._run is not None:
            region, dtype = self._run.region, self._run.output_dtype
            count = self._run.total_tiles
        else:
            region, dtype = HeldImage(prediction, prediction.data.dtype).region, np.dtype("f4")
            count = int(prediction.region_spec["total_tiles"])  # type: ignore[typeddict-item]
        array = np.full(region.selected_shape, fill_value(dtype), dtype)
        return count, array, ArrayWriter(array, region)

    def path(self, dirpath: Path, name: str) -> Path:
        return dirpath / f"{name}.npy"

    def save(self, path: Path, array: np.ndarray) -> None:
        with path.open("xb") as file:
            np.save(file, array)

    def close(self, completed: bool) -> None:
        self._held.clear()


def read(run: RunInfo) -> np.ndarray:
    assert run.dirpath is not None
    found: np.ndarray = np.load(run.dirpath / f"{run.source}.npy")
    return found


class NoWriteBatch:
    """Named as another library names it."""

    def __init__(self, run: RunInfo) -> None:
        pass

    def write(self, *_: Any) -> None: ...


class CloseIsAFlag(Right):
    close = True  # type: ignore[assignment]


class FirstOfABatch(Right):
    """Thinks that a batch is one tile."""

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        super().write_batch(dirpath, predictions[:1])


class OneThread(Right):
    """A database's connection, which belongs to the thread that opened it."""

    def open(self, run: RunInfo) -> None:
        super().open(run)
        self._thread = threading.get_ident()

    def write_batch(self, *arguments: Any) -> None:
        if threading.get_ident() != self._thread:
            raise RuntimeError("made in another thread")
        super().write_batch(*arguments)


class InOrder(Right):
    """Writes when the tile came that is the last one in C order."""

    def take(self, dirpath: Path, prediction: ImageRegionData) -> None:
        super().take(dirpath, prediction)
        count, array, _ = self._held[str(prediction.source)]
        last = prediction.additional_metadata["tile_index"] + 1
        if count > 0 and last == prediction.region_spec["total_tiles"]:  # type: ignore[typeddict-item]
            self.save(self.path(dirpath, str(prediction.source)), array)


class WholeIsCore(Right):
    """Pastes what it gets where the core goes."""

    def take(self, dirpath: Path, prediction: ImageRegionData) -> None:
        size = tuple(prediction.region_spec["crop_size"])  # type: ignore[typeddict-item]
        index = (slice(None), *(slice(0, length) for length in size))
        super().take(dirpath, prediction._replace(data=prediction.data[index]))


class OmeOrder(Right):
    """Everything is TCZYX."""

    def save(self, path: Path, array: np.ndarray) -> None:
        assert self._run is not None
        axes = self._run.region.axes
        order = [axes.index(letter) for letter in "STCZYX" if letter in axes]
        super().save(path, array.transpose(order))


class TMajor(Right):
    """Samples with T slower than S."""

    def take(self, dirpath: Path, prediction: ImageRegionData) -> None:
        if "S" in prediction.axes and "T" in prediction.axes:
            sizes = dict(zip(prediction.axes, prediction.original_data_shape, strict=True))
            layout = layout_of(prediction)
            rest = int(np.prod([n for a, n in layout.sample_sizes.items() if a not in "ST"]))
            sample, after = divmod(prediction.region_spec["sample_idx"], rest)
            t, s = divmod(sample, sizes["S"])
            other = (s * sizes["T"] + t) * rest + after
            prediction = prediction._replace(
                region_spec={**prediction.region_spec, "sample_idx": other}
            )
        super().take(dirpath, prediction)


class ChannelsOfTheImage(Right):
    """Knows nothing of models that make channels."""

    def take(self, dirpath: Path, prediction: ImageRegionData) -> None:
        if prediction.additional_metadata["channels"] is not None:
            prediction = prediction._replace(
                additional_metadata={**prediction.additional_metadata, "channels": None}
            )
        super().take(dirpath, prediction)


class WholeImage(Right):
    """Knows nothing of regions."""

    def save(self, path: Path, array: np.ndarray) -> None:
        assert self._run is not None
        whole = np.zeros(self._run.region.shape, array.dtype)
        whole[np.ix_(*self._run.region.indices)] = array
        super().save(path, whole)


class FloatsOnly(Right):
    """Knows nothing of data types."""

    def save(self, path: Path, array: np.ndarray) -> None:
        super().save(path, array.astype(np.float32))


class WrapsAround(Right):
    """Whole numbers are cut, not clipped."""

    def take(self, dirpath: Path, prediction: ImageRegionData) -> None:
        assert self._run is not None
        if self._run.output_dtype.kind != "f":
            with np.errstate(invalid="ignore"):
                cut = np.nan_to_num(prediction.data).astype(np.int64).astype(np.uint8)
            prediction = prediction._replace(data=cut)
        super().take(dirpath, prediction)


class InPlace(Right):
    """Makes room for zero in what it was given."""

    def take(self, dirpath: Path, prediction: ImageRegionData) -> None:
        kept = prediction.data.copy()
        super().take(dirpath, prediction._replace(data=kept))
        prediction.data[prediction.data == 0.5] = 0


class NeedsAll(Right):
    """Insists on being finished."""

    def close(self, completed: bool) -> None:
        if any(count for count, _, _ in self._held.values()):
            raise RuntimeError("tiles are missing")
        super().close(completed)


class WritesOver(Right):
    def save(self, path: Path, array: np.ndarray) -> None:
        np.save(path, array)


class OneImage(Right):
    """Thinks that all tiles are of one image."""

    def take(self, dirpath: Path, prediction: ImageRegionData) -> None:
        super().take(dirpath, prediction._replace(source="a.tif"))


BROKEN: dict[str, list[tuple[Broken, str]]] = {
    "protocol": [
        (NoWriteBatch, "it has no write_batch"),
        (CloseIsAFlag, "close cannot be called"),
    ],
    "batches": [
        (FirstOfABatch, "reading TCYX back raised FileNotFoundError"),
        (OneThread, "write_batch raised RuntimeError: made in another thread"),
    ],
    "any_order": [(InOrder, "raised FileExistsError|differs in")],
    "whole_tiles": [(WholeIsCore, r"differs in \d+ of \d+ pixels, first at .*: 12345.0 instead")],
    "axes_orders": [
        (OmeOrder, "XYZ has shape"),
        (TMajor, "TSZYX differs in"),
    ],
    "made_channels": [(ChannelsOfTheImage, "TYX (has shape|differs)|raised")],
    "regions": [(WholeImage, r"TCYX folded C has shape \(3, 2, 37, 29\) instead of TCYX")],
    "data_types": [
        (FloatsOnly, "wrote float32, the run asks for uint8"),
        (WrapsAround, "TCYX differs in .*as uint8"),
    ],
    "predictions_are_kept": [(InPlace, "changed the prediction at .*; change a copy")],
    "stopped_runs": [(NeedsAll, "close raised RuntimeError: tiles are missing")],
    "nothing_is_overwritten": [(WritesOver, "after a second run: what was there was written over")],
    "interleaved_images": [(OneImage, "a.tif|raised|differs")],
}
