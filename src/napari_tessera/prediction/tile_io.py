"""One tile's pixels: read and padded on the way in, cropped and labelled on the way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.metadata import ImageMetadata
from napari_tessera.models.processing import MEAN, Resolved
from napari_tessera.patching import TileSpecs
from napari_tessera.prediction.intensity import IntensityRanges
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.stacks import ImageStack, read_metadata
from napari_tessera.writing import ImageRegionData

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model


@dataclass(frozen=True)
class Tile:
    """A tile on its way to the model.

    Parameters
    ----------
    index : int
        Number of the tile in the plan's area (in its grid, for what is read to blend with).
    specs : TileSpecs
        Where it lies.
    pixels : numpy.ndarray
        ``C(Z)YX`` float32, with what ``processing`` subtracts and divides by done,
        reflect-padded to the tile size, pixels that are not finite replaced by the image's mean.
    core : numpy.ndarray
        ``C(Z)YX`` core of the input in its own dtype.
    processing : Resolved
        What else is done to it before the model, and after.
    channel : int or None
        Channel of the image that it is of; None where it has all that the model takes.
    """

    index: int
    specs: TileSpecs
    pixels: NDArray[np.float32]
    core: NDArray[Any]
    processing: Resolved
    channel: int | None

    @property
    def nonfinite(self) -> int:
        """Number of pixels of the core's input that are NaN or infinite."""
        return int(np.count_nonzero(self.not_finite))

    @property
    def not_finite(self) -> NDArray[np.bool_]:
        """Pixels of the core's input that are NaN, or infinite in float32."""
        return not_finite(self.core)


def not_finite(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """Which pixels are NaN, or infinite in float32."""
    if pixels.dtype.kind != "f":
        return np.zeros(pixels.shape, np.bool_)
    far: NDArray[np.bool_] = ~(np.abs(pixels) <= np.finfo(np.float32).max)
    return far


class TileReader:
    """Reads tiles of a plan. Safe to use from several threads.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    stack : ImageStack
        The image, nothing folded.
    model : Model or ChannelModels
        The model that the tiles are for: what it does to grey levels.
    """

    def __init__(
        self, plan: PredictionPlan, stack: ImageStack, model: Model | ChannelModels
    ) -> None:
        self._plan = plan
        self._stack = stack
        self._ranges = IntensityRanges(plan, model)

    def read(self, index: int, specs: TileSpecs) -> Tile:
        """Read one tile, only from pixels inside the image, and reflect-pad the rest.

        Zeros beyond the edge would be taken for image and change the prediction inside.

        Parameters
        ----------
        index : int
            What the tile is called by.
        specs : TileSpecs
            Where it lies, in the plan's grid.
        """
        plan, layout = self._plan, self._plan.layout
        sample, plane, channel = layout.base_sample(specs["sample_idx"])
        shape = layout.view_shape[2:]
        start = [max(0, c) for c in specs["coords"]]
        stop = [
            min(c + p, s)
            for c, p, s in zip(specs["coords"], specs["patch_size"], shape, strict=True)
        ]
        size = [b - a for a, b in zip(start, stop, strict=True)]
        channels = plan.input_channels if channel is None else (channel,)
        if plane is None:
            raw = self._stack.extract_patch(sample, channels, start, size)
        else:
            raw = self._stack.extract_patch(sample, channels, [plane, *start], [1, *size])[:, 0]
        raw = np.asarray(raw)
        statistics, processing = self._ranges.of(sample, channel)
        pixels = processing.scaled(raw)
        if raw.dtype.kind == "f":
            finite = np.isfinite(pixels)
            if not finite.all():
                mean = (statistics[MEAN] - processing.subtract) / processing.divide
                pixels = np.where(finite, pixels, _along_channels(mean, pixels))
                pixels = pixels.astype(np.float32)
        missing = [(0, p - s) for p, s in zip(specs["patch_size"], size, strict=True)]
        if any(after for _, after in missing):
            pixels = np.pad(pixels, [(0, 0), *missing], mode="reflect")
        core = raw[(slice(None), *_core_slices(specs))]
        return Tile(index, specs, pixels, core, processing, channel)


def _along_channels(values: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(-1, *(1,) * (like.ndim - 1))


@dataclass(frozen=True)
class Origin:
    """What every core says of the image that it was predicted of.

    Parameters
    ----------
    source : str
        Where the image comes from.
    metadata : ImageMetadata
        Pixel size, units and channel names of the image.
    chunks, shards : tuple of int, optional
        What is read at once, and what holds that, in the image's own axes.
    """

    source: str
    metadata: ImageMetadata
    chunks: tuple[int, ...] | None = None
    shards: tuple[int, ...] | None = None

    @classmethod
    def of(cls, stack: ImageStack) -> Origin:
        """Ask a stack; what it has not is None."""
        chunks, shards = (getattr(stack, name, None) for name in ("chunks", "shards"))
        return cls(str(stack.source), read_metadata(stack), chunks, shards)


def to_region(
    plan: PredictionPlan, origin: Origin, tile: Tile, core: NDArray[Any]
) -> ImageRegionData:
    """Label a predicted core for the writers.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    origin : Origin
        The image.
    tile : Tile
        The tile.
    core : numpy.ndarray
        Predicted core, ``C(Z)YX`` float. Pixels whose input is not finite get that input
        back, so that NaN stays where it was; NaN where the output is no image.
    """
    bad = tile.not_finite
    if bad.any():
        if core.shape == tile.core.shape and plan.tta != "disagreement":
            with np.errstate(over="ignore"):
                core = np.where(bad, tile.core.astype(core.dtype), core)
        else:
            core = np.where(bad.any(axis=0), core.dtype.type(np.nan), core)
    return labelled(plan, origin, tile.index, tile.specs, core, tile.core)


def labelled(
    plan: PredictionPlan,
    origin: Origin,
    index: int,
    specs: TileSpecs,
    core: NDArray[Any],
    given: NDArray[Any],
) -> ImageRegionData:
    """Say of a core, and the input it was made of, all that writers want to know."""
    return ImageRegionData(
        data=core,
        source=origin.source,
        data_shape=plan.layout.view_shape,
        dtype=plan.input_dtype,
        axes=plan.input_axes,
        original_data_shape=plan.input_shape,
        region_spec=specs,
        additional_metadata={
            "fold": plan.fold,
            "channels": plan.output_channels,
            "tile_index": index,
            "input": given,
            "metadata": origin.metadata,
            "chunks": origin.chunks,
            "shards": origin.shards,
        },
    )


def _core_slices(specs: TileSpecs) -> tuple[slice, ...]:
    return tuple(
        slice(crop, crop + size)
        for crop, size in zip(specs["crop_coords"], specs["crop_size"], strict=True)
    )


def crop(specs: TileSpecs, predicted: Any) -> Any:
    """Cut the core out of a ``C(Z)YX`` prediction (array or tensor)."""
    return predicted[(slice(None), *_core_slices(specs))]
