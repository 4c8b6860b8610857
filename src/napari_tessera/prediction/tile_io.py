"""One tile's pixels: read and padded on the way in, cropped and labelled on the way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.metadata import ImageMetadata
from napari_tessera.models.processing import MEAN, Resolved, SampleStatistics
from napari_tessera.patching import TileSpecs
from napari_tessera.prediction.cleaned_stack import read_both
from napari_tessera.prediction.intensity import KEPT, IntensityRanges
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.transfer.scaling import Scaling
from napari_tessera.stacks import ImageStack, read_metadata
from napari_tessera.writing import ImageRegionData

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model


RAW = frozenset(np.dtype(name) for name in ("u1", "i1", "u2", "i2", "f2", "f4"))
"""Types of pixels that a float32 holds exactly: tiles keep them until they are at the model."""


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
        ``C(Z)YX``, in C order and writable, reflect-padded to the tile size. Grey levels in the
        image's own dtype where that is one of `RAW`, which is how they travel to the device; where
        ``scaled`` is set, float32 with what ``processing`` subtracts and divides by done, and
        pixels that are not finite replaced by the image's mean.
    core : numpy.ndarray
        ``C(Z)YX`` core of the input in its own dtype, hot pixels included.
    processing : Resolved
        What else is done to it before the model, and after.
    channel : int or None
        Channel of the image that it is of; None where it has all that the model takes.
    scaled : bool
        Whether ``pixels`` are scaled already.
    finite : bool
        Whether it is known that all pixels of the core are finite.
    """

    index: int
    specs: TileSpecs
    pixels: NDArray[Any]
    core: NDArray[Any]
    processing: Resolved
    channel: int | None
    scaled: bool = True
    finite: bool = False

    @property
    def nonfinite(self) -> int:
        """Number of pixels of the core's input that are NaN or infinite."""
        return 0 if self.finite else int(np.count_nonzero(self.not_finite))

    @property
    def levels(self) -> NDArray[np.float32]:
        """Pixels as the model's processing takes them: scaled, float32, worked out in float64."""
        levels: NDArray[np.float32] = self.pixels
        return levels if self.scaled else self.processing.scaled(self.pixels)

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
        self._scaling = lru_cache(KEPT)(Scaling.of)

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
            given, raw = self._pixels(sample, channels, start, size)
        else:
            given, raw = (
                pixels[:, 0]
                for pixels in self._pixels(sample, channels, [plane, *start], [1, *size])
            )
        statistics, processing = self._ranges.of(sample, channel)
        numbers = self._scaling(processing, raw.ndim)
        finite = raw.dtype.kind != "f"
        if numbers is not None and raw.dtype in RAW and (finite or _within(raw, numbers.largest)):
            pixels, scaled, finite = raw, False, True
        else:
            pixels, scaled = _scaled(raw, statistics, processing), True
        if any(p != s for p, s in zip(specs["patch_size"], size, strict=True)):
            missing = [(0, p - s) for p, s in zip(specs["patch_size"], size, strict=True)]
            pixels = np.pad(pixels, [(0, 0), *missing], mode="reflect")
        core = given[(slice(None), *_core_slices(specs))]
        return Tile(index, specs, _owned(pixels), core, processing, channel, scaled, finite)

    def _pixels(
        self, sample: int, channels: Sequence[int] | None, start: list[int], size: list[int]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Pixels as they are in the image, and as the model is to see them."""
        if self._plan.hot_pixels is None:
            raw = np.asarray(self._stack.extract_patch(sample, channels, start, size))
            return raw, raw
        return read_both(self._stack, self._plan.hot_pixels, sample, channels, start, size)


def _within(pixels: NDArray[Any], largest: float) -> bool:
    """Whether no pixel is NaN or larger in size."""
    return -largest <= float(pixels.min()) and float(pixels.max()) <= largest


def _scaled(
    raw: NDArray[Any], statistics: SampleStatistics, processing: Resolved
) -> NDArray[np.float32]:
    """Pixels of any type, scaled in float64; those that are not finite are the image's mean."""
    pixels = processing.scaled(raw)
    if raw.dtype.kind == "f" and not (finite := np.isfinite(pixels)).all():
        mean = (statistics[MEAN] - processing.subtract) / processing.divide
        pixels = np.where(finite, pixels, _along_channels(mean, pixels)).astype(np.float32)
    return pixels


def _owned(pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels in C order that may be written to: PyTorch takes no others as they are."""
    flags = pixels.flags
    return pixels if flags.c_contiguous and flags.writeable else np.array(pixels, order="C")


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
    if not tile.finite and (bad := tile.not_finite).any():
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
