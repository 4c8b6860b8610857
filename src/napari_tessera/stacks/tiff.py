"""TIFF files: OME-TIFF, ImageJ hyperstacks, and everything else that tifffile reads."""

from __future__ import annotations

import struct
import weakref
from collections.abc import Sequence
from math import prod
from os import PathLike
from pathlib import Path

from tifffile import TiffFile, TiffPageSeries

from napari_tessera.axes import validate_axes
from napari_tessera.stacks.array import ArrayStack, Index
from napari_tessera.stacks.checks import one_line
from napari_tessera.stacks.protocol import StackReadError
from napari_tessera.stacks.tiff_metadata import series_axes, series_metadata
from napari_tessera.stacks.tiff_pixels import DamagedTiffError, TiffPixels


class TiffStack(ArrayStack):
    """One image of a TIFF file, read strip by strip or tile by tile as patches need them.

    Parameters
    ----------
    path : str or path
        The file. Of a file with several images (tifffile calls them series) the first is read.
    axes : str, optional
        One letter per axis; by default those of OME-XML, ImageJ's description or tifffile. The
        samples of RGB are C, alpha among them; letters that are none of ours are guessed (see
        `series_axes`). Axes of length 1 are left out, as tifffile does.
    channels : sequence of int, optional
        The channels that the stack consists of.
    level : int, optional
        Which level of a pyramid; 0 is the full size.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StackReadError
        If the file is no TIFF, or damaged beyond finding its images.
    ValueError
        If pixels are stored in a way that cannot be read, or axes, channels, level or the type
        of the pixels do not go with the file.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
    ) -> None:
        resolved = Path(path).resolve()
        file = _open(resolved)
        try:
            series = _first_series(file, resolved)
            levels = series.levels
            if not 0 <= level < len(levels):
                raise ValueError(f"{resolved}: level {level} is outside 0…{len(levels) - 1}")
            pixels = _pixels(levels[level], resolved)
            if axes is None:
                axes = series_axes(series)
            validate_axes(axes, pixels.shape)
            super().__init__(
                pixels,
                axes,
                source=str(resolved),
                channels=channels,
                metadata=series_metadata(file, series, level),
            )
        except BaseException:
            file.close()
            raise
        self._path = resolved
        # a stack that is dropped without close() must not leave its file open
        self._release = weakref.finalize(self, _close, pixels, file)

    @property
    def origins(self) -> tuple[Path, ...]:
        """The file, and those that OME-XML says are parts of the same image."""
        return (self._path, *(path for path in super().origins if path != self._path))

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._release()

    def _reason(self, index: Index, error: Exception) -> str:
        return str(error) if isinstance(error, DamagedTiffError) else one_line(error)


def _open(path: Path) -> TiffFile:
    try:
        return TiffFile(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist") from None
    except (PermissionError, IsADirectoryError):
        raise
    except Exception as error:
        raise StackReadError(f"{path} cannot be opened as TIFF: {one_line(error)}") from error


def _first_series(file: TiffFile, path: Path) -> TiffPageSeries:
    try:
        series = file.series
        broken = _broken_chain(file) or _lost_planes(file, series)
    except Exception as error:
        raise StackReadError(f"{path}: no image can be found: {one_line(error)}") from error
    if broken:
        raise StackReadError(
            f"{path} is cut off: {broken}, the file ends at byte {file.filehandle.size}; copy it "
            "again, or pass the array that tifffile.imread makes of what is left"
        )
    if not series:
        raise StackReadError(f"{path} holds no image")
    return series[0]


def _broken_chain(file: TiffFile) -> str | None:
    """Where the next page's directory should be, if that is beyond the end of the file.

    tifffile ends the list of pages there, and a stack would silently be shorter than it was.
    """
    at = file.pages.next_page_offset
    if not at or file.is_ndpi:
        return None
    with file.filehandle.lock:
        file.filehandle.seek(at)
        stored = file.filehandle.read(file.tiff.offsetsize)
    if len(stored) < file.tiff.offsetsize:
        return f"after page {len(file.pages) - 1} a directory is missing"
    (offset,) = struct.unpack(file.tiff.offsetformat, stored)
    if offset < file.filehandle.size:
        return None
    return f"the directory of page {len(file.pages)} should be at byte {offset}"


def _lost_planes(file: TiffFile, series: list[TiffPageSeries]) -> str | None:
    """Where ImageJ's planes should end, if that is beyond the end of the file.

    ImageJ may list one page only, all planes behind it; tifffile then falls back to that page.
    """
    description = file.imagej_metadata
    page = file.pages.first
    if not description or not page.is_final or any(s.kind == "imagej" for s in series):
        return None
    counts = (description.get(key, 1) for key in ("frames", "slices", "channels"))
    planes = prod(max(int(count), 1) for count in counts)
    end = page.dataoffsets[0] + planes * page.nbytes
    if end <= file.filehandle.size:
        return None
    return f"ImageJ's {planes} planes should end at byte {end}"


def _pixels(series: TiffPageSeries, path: Path) -> TiffPixels:
    try:
        return TiffPixels(series)
    except Exception as error:
        compression = getattr(series.keyframe.compression, "name", series.keyframe.compression)
        raise ValueError(
            f"{path}: pixels ({compression}) cannot be read: {one_line(error)}"
        ) from error


def _close(pixels: TiffPixels, file: TiffFile) -> None:
    pixels.close()
    file.close()
