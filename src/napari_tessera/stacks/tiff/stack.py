"""TIFF files: OME-TIFF, ImageJ hyperstacks, and everything else that tifffile reads."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from tifffile import TiffPageSeries

from napari_tessera.axes import validate_axes
from napari_tessera.stacks.array import ArrayStack, Index
from napari_tessera.stacks.checks import at_level, check_level, error_line
from napari_tessera.stacks.protocol import StackReadError
from napari_tessera.stacks.tiff.images import TiffImage, TiffImages
from napari_tessera.stacks.tiff.log import one_line_logged
from napari_tessera.stacks.tiff.metadata import image_metadata, series_axes
from napari_tessera.stacks.tiff.pixels import DamagedTiffError, TiffPixels

_INTERLEAVED = 1
_ALPHA = (1, 2)
"""Kinds of extra samples that are alpha: associated and unassociated."""


class TiffStack(ArrayStack):
    """One image of a TIFF file, read strip by strip or tile by tile as patches need them.

    An alpha channel beside colours that lie pixel by pixel is no channel of the stack, unless
    ``channels`` names it: it holds no intensities, and is left out of layers as well
    (`left_out_channels` tells it). Samples that lie plane by plane are all taken: that is how
    writers store a volume that they take for an image with colours, for its 4 planes. Planes
    that OME-XML or Micro-Manager's index leave out, and strips or tiles without bytes, are
    empty by the format (zero, or the file's own value for no data); a plane that is said to be
    in a file or page that is not there is an error when it is read.

    Parameters
    ----------
    path : str or path
        The file; of a multi-file OME-TIFF any member.
    axes : str, optional
        One letter per axis; by default those of OME-XML, ImageJ's description or tifffile. The
        samples of RGB are C; letters that are none of ours are guessed (see `series_axes`). Axes
        of length 1 are left out, as tifffile does.
    channels : sequence of int, optional
        The channels that the stack consists of.
    level : int, optional
        Which level of a pyramid; 0 is the full size.
    series : int, optional
        Which image of a file with several (tifffile calls them series).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StackReadError
        If the file is no TIFF, or damaged beyond finding its images.
    ValueError
        If there is no such image, its pixels are stored in a way that cannot be read, or axes,
        channels, level or the type of the pixels do not go with it.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        series: int = 0,
    ) -> None:
        resolved = Path(path).resolve()
        with one_line_logged(resolved):
            images = TiffImages(resolved)
            try:
                image = images[series]
                found = _present(images, image, series)
                levels = found.levels
                check_level(str(resolved), level, len(levels))
                pixels = _pixels(images, image, levels[level], level)
                try:
                    if axes is None:
                        axes = _axes(found, resolved)
                    validate_axes(axes, pixels.shape)
                    alpha = _alpha(found, axes) if channels is None else ()
                    super().__init__(
                        pixels,
                        axes,
                        source=at_level(f"{resolved}#{series}" if series else str(resolved), level),
                        channels=_others(found, alpha) if alpha else channels,
                        metadata=image_metadata(images.file, found, image.ome, level).renamed(axes),
                    )
                except BaseException:
                    pixels.close()
                    raise
            finally:
                # the pixels have descriptors of their own
                images.file.close()
        self.n_levels = len(levels)
        self.series = series
        """Number of the image in its file."""
        self.n_series = len(images.images)
        """How many images the file holds."""
        self.left_out_channels = alpha
        """Channels of the file that are alpha and none of the stack."""
        self._path = resolved
        self._pixels = pixels
        # a stack that is dropped without close() must not leave its files open
        self._release = weakref.finalize(self, pixels.close)
        self._origins = tuple(dict.fromkeys((resolved, *pixels.paths)))

    @property
    def origins(self) -> tuple[Path, ...]:
        """The file, and those that OME-XML says are parts of the same image."""
        return self._origins

    @property
    def absent_chunks(self) -> int:
        """Distinct strips or tiles, met so far, that have no bytes in the file.

        The format allows that: they read as zero, or as the file's own value for no data. A
        writer that was interrupted leaves them as well. Planes that OME-XML leaves out count with
        all of their strips or tiles that are met.
        """
        return self._pixels.absent

    @property
    def absent_name(self) -> str:
        """What `absent_chunks` counts: ``strip`` or ``tile``."""
        return self._pixels.segment_name

    @property
    def fill_value(self) -> float:
        """What an absent strip or tile reads as."""
        return self._pixels.fill_value

    def count_absent(self) -> tuple[int, int]:
        """How many strips or tiles have no bytes in the file, and how many make up the image."""
        return self._pixels.count_absent()

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._release()

    def _reason(self, index: Index, error: Exception) -> str:
        return str(error) if isinstance(error, DamagedTiffError) else error_line(error)


def _present(images: TiffImages, image: TiffImage, number: int) -> TiffPageSeries:
    if image.series is not None:
        return image.series
    names = ", ".join(images.missing(image.ome))
    raise StackReadError(f"{images.path}: image {number} is in files that do not exist: {names}")


def _axes(series: TiffPageSeries, path: Path) -> str:
    try:
        return series_axes(series)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def warn_of_alpha(stack: TiffStack) -> None:
    """Warn of a channel that is left out, and say how to have it."""
    if stack.left_out_channels:
        count = len(stack.left_out_channels) + stack.data_shape[1]
        everything = ",".join(map(str, range(count)))
        warnings.warn(
            f"{stack.source}: {alpha_text(stack.left_out_channels)}; channels {everything} take it "
            "in",
            UserWarning,
            stacklevel=3,
        )


def alpha_text(channels: Sequence[int]) -> str:
    """``channel 3 is alpha and left out``."""
    one = len(channels) == 1
    return (
        f"{'channel' if one else 'channels'} {', '.join(map(str, channels))} "
        f"{'is' if one else 'are'} alpha and left out"
    )


def _alpha(series: TiffPageSeries, axes: str) -> tuple[int, ...]:
    """The channels that are alpha; none where the samples are no channels, or nothing else."""
    at = series.axes.find("S")
    page = series.keyframe
    if at < 0 or axes[at] != "C" or page.planarconfig != _INTERLEAVED:
        return ()
    samples = int(series.shape[at])
    # a tag of an unknown type may give anything, and says nothing
    extra: Any = page.extrasamples
    kinds = extra[-samples:] if isinstance(extra, tuple) else ()
    first = samples - len(kinds)
    alpha = tuple(first + at for at, kind in enumerate(kinds) if kind in _ALPHA)
    return alpha if len(alpha) < samples else ()


def _others(series: TiffPageSeries, alpha: Sequence[int]) -> list[int]:
    samples = int(series.shape[series.axes.find("S")])
    return [channel for channel in range(samples) if channel not in alpha]


def _pixels(images: TiffImages, image: TiffImage, series: TiffPageSeries, level: int) -> TiffPixels:
    try:
        return TiffPixels(series, partial(images.absent, image, level))
    except Exception as error:
        compression = getattr(series.keyframe.compression, "name", series.keyframe.compression)
        raise ValueError(
            f"{images.path}: pixels ({compression}) cannot be read: "
            f"{error_line(error).removeprefix('ValueError: ')}"
        ) from error
