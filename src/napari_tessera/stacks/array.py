"""Stacks of anything that slices like an array; the reading that all implementations share."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from napari_tessera.axes import AxesTransform, validate_axes
from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.axis_guess import GuessedAxes
from napari_tessera.stacks.checks import chosen_channels, error_line, known_shape, pixel_dtype
from napari_tessera.stacks.origins import find_origins
from napari_tessera.stacks.padding import check_patch, inside, take_channels, zero_padded
from napari_tessera.stacks.patch_index import Index as Index
from napari_tessera.stacks.patch_index import PatchIndex
from napari_tessera.stacks.protocol import StackReadError
from napari_tessera.stacks.reading.expected import ExpectedReads
from napari_tessera.stacks.reading.once import chunks_once


class ArrayLike(Protocol):
    """What `ArrayStack` needs of its data: NumPy, dask, Zarr, xarray, HDF5 and CuPy have it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of the pixels."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Part of the data: one int or slice per axis is all that is asked."""
        ...


class ArrayStack:
    """A stack over an array, of which each patch reads only what it needs.

    All other stacks of this room are this one over another array, so that they slice, reorder,
    pad and fail alike. What a patch needs is its part inside the image and, of the channels, the
    contiguous range that holds those wanted.

    Parameters
    ----------
    data : array-like
        Anything with ``shape``, ``dtype`` and ``__getitem__``; never copied as a whole, never
        written to. Must allow reads from several threads.
    axes : str
        Letters out of ``STCZYX``, one per axis of ``data``.
    source : str, optional
        What the stack is called in plans, file names and messages. An array has no name of its
        own: where several are predicted into one folder, give each its own, or writers refuse
        the second.
    channels : sequence of int, optional
        The channels that the stack consists of, in this order; the others do not exist for it.
    metadata : ImageMetadata, optional
        Pixel size, units and names that are known; axes that it does not have get defaults.

    Raises
    ------
    ValueError
        If the pixels are no real numbers, the axes do not describe the shape, an axis is empty
        or a channel does not exist.
    """

    def __init__(
        self,
        data: ArrayLike,
        axes: str,
        *,
        source: str = "array",
        channels: Sequence[int] | None = None,
        metadata: ImageMetadata | None = None,
    ) -> None:
        shape = known_shape(data.shape, source)
        self.data_dtype = pixel_dtype(data.dtype, source)
        """Type of the pixels, in native byte order."""
        validate_axes(axes, shape)
        transform = AxesTransform(axes, shape)
        samples, available, *space = transform.transformed_shape
        self.n_levels: int | None = None
        """How many resolution levels the image has; None where it is not known to have any."""
        self._channels = chosen_channels(channels, available, source)
        self._data = data
        self._patches = PatchIndex(axes, shape)
        # readers of files say so; an array's slices are views of it
        self._copies = not getattr(data, "gives_new_arrays", False)
        self._data_shape = shape
        self._closing = Event()
        self.source = source
        """Where the image comes from."""
        self.original_axes = axes
        """The image's own axes."""
        self.original_data_shape = tuple(
            len(self._channels) if letter == "C" else size
            for letter, size in zip(axes, shape, strict=True)
        )
        """Shape in the image's own axes; C counts the chosen channels."""
        self.data_shape = (samples, len(self._channels), *space)
        """Shape as ``SC(Z)YX``."""
        known = (metadata or ImageMetadata(axes)).with_axes(axes)
        self.metadata = _with_channels(known, self._channels, available)
        """Axes, pixel size, units and channel names."""

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Shape of what is read at once, in the image's own axes; None for memory."""
        shape = getattr(self._data, "chunksize", None) or getattr(self._data, "chunks", None)
        if not shape:
            return None
        # dask and xarray list the size of every chunk along an axis
        return tuple(int(max(size) if isinstance(size, tuple) else size) for size in shape)

    @property
    def axes_guessed(self) -> bool:
        """Whether some of the axes come from the shape alone, as nothing names them."""
        return isinstance(self.original_axes, GuessedAxes)

    @property
    def waits(self) -> bool:
        """Whether reads are answered late, as by a server: several on their way at once pay."""
        return bool(getattr(self._data, "waits", False))

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the source that the stack consists of."""
        return tuple(self._channels)

    @property
    def origins(self) -> tuple[Path, ...]:
        """Local files and folders that the pixels are read from (see `read_origins`)."""
        return find_origins(self._data)

    def extract_patch(
        self,
        sample_idx: int,
        channels: Sequence[int] | None,
        coords: Sequence[int],
        patch_size: Sequence[int],
    ) -> NDArray[np.generic]:
        """Read one patch as ``C(Z)YX``, zero outside the image (see `ImageStack`)."""
        if self._closing.is_set():
            raise self._closed_error()
        channels = check_patch(self.data_shape, sample_idx, channels, coords, patch_size)
        start, size = inside(coords, patch_size, self.data_shape[2:])
        wanted = self._channels if channels is None else [self._channels[c] for c in channels]
        if not wanted or 0 in size:
            return np.zeros((len(wanted), *patch_size), self.data_dtype)
        # a range of channels is always one slice: a list would be an advanced index, moving axes
        first = min(wanted)
        index = self._patches.index(sample_idx, slice(first, max(wanted) + 1), start, size)
        block = self._patches.as_czyx(self._read(index))
        if block.shape[1:] != size:
            raise StackReadError(
                f"{self.source} cannot be read at {self._position(index)}: "
                f"{block.shape[1:]} pixels came where {size} are"
            )
        block = take_channels(block, wanted, first)
        return zero_padded(block, coords, patch_size, start, copy=self._copies)

    def reading_once(self, expected: ExpectedReads | None) -> Self:
        """The same stack for one pass over the image, in which each chunk is decoded once.

        What is decoded is kept until it was read as often as expected, up to 40 MiB. This stack
        itself goes on reading what is there at the moment; the other one is for as long as a
        pass takes, and closed with this one.

        Parameters
        ----------
        expected : ExpectedReads or None
            What is going to be read, in the stack's axes and channels; None where that is not
            known.

        Returns
        -------
        ArrayStack
            This stack itself where there are no chunks, or what reads them keeps them by itself.
        """
        letters = self.original_axes
        data = chunks_once(self._data, letters, self._channels, self.data_dtype, expected)
        if data is None:
            return self
        once = copy(self)
        once._data, once._copies = data, False
        return once

    def _read(self, index: Index) -> NDArray[np.generic]:
        """Read part of the source into memory; any failure names source and position."""
        try:
            part = self._data[index]
            block: NDArray[np.generic] = part if type(part) is np.ndarray else in_memory(part)
            if block.dtype != self.data_dtype:
                block = block.astype(self.data_dtype)
        except MemoryError:
            raise
        except Exception as error:
            if self._closing.is_set():
                # by another thread, meanwhile
                raise self._closed_error() from error
            raise StackReadError(
                f"{self.source} cannot be read at {self._position(index)}: "
                f"{self._reason(index, error)}"
            ) from error
        return block

    def _closed_error(self) -> ValueError:
        return ValueError(f"{self.source} is closed; open it again to read from it")

    def _reason(self, index: Index, error: Exception) -> str:
        """Why a read failed; implementations that know the broken part of a file name it."""
        return error_line(error)

    def _position(self, index: Index) -> str:
        return " ".join(
            f"{letter}={i.start}…{i.stop - 1}" if isinstance(i, slice) else f"{letter}={i}"
            for letter, i in zip(self.original_axes, index, strict=True)
        )

    def close(self) -> None:
        """Release what the stack holds open; it cannot be read from afterwards."""
        self._closing.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        shape = " ".join(
            f"{letter}{size}"
            for letter, size in zip(self.original_axes, self.original_data_shape, strict=True)
        )
        return f"<{type(self).__name__} {self.source}: {shape} {self.data_dtype}>"


def in_memory(block: Any) -> NDArray[np.generic]:
    """Bring what an array-like gave into a NumPy array, from dask's graph or a GPU as well."""
    if hasattr(block, "__cuda_array_interface__") and hasattr(block, "get"):
        block = block.get()
    array: NDArray[np.generic] = np.asarray(block)
    return array


def _with_channels(
    metadata: ImageMetadata, channels: Sequence[int], available: int
) -> ImageMetadata:
    """Metadata whose channel names and colours are those of the chosen channels, if they fit."""

    def chosen(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
        fitting = values is not None and len(values) == available
        return tuple(values[c] for c in channels) if values and fitting else None

    return ImageMetadata(
        axes=metadata.axes,
        scale=metadata.scale,
        units=metadata.units,
        translation=metadata.translation,
        channel_names=chosen(metadata.channel_names),
        channel_colors=chosen(metadata.channel_colors),
    )
