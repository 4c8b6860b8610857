"""OME-Zarr 0.5: its metadata, and the arrays below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import zarr
from numpy.typing import DTypeLike, NDArray
from yaozarrs import v05
from zarr.codecs import BloscCodec

from napari_tessera.metadata import ImageMetadata
from napari_tessera.units import ome_unit
from napari_tessera.writing.convert import fill_value

LEVEL = "0"
"""Name of the full-size array."""

_CHANNEL_COLORS = ("00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF")
_SAMPLED_BLOCKS = 16
_SAMPLED_BLOCK_SIZE = 256


def image_attributes(metadata: ImageMetadata, name: str) -> dict[str, Any]:
    """Build the ``ome`` attribute of an image with one level.

    Parameters
    ----------
    metadata : ImageMetadata
        In disk order (``TCZYX`` with what of it there is).
    name : str
        Name of the image.

    Returns
    -------
    dict
        JSON-able, valid OME-Zarr 0.5.
    """
    along = [metadata.along(letter) for letter in metadata.axes]
    transforms: list[v05.ScaleTransformation | v05.TranslationTransformation] = [
        v05.ScaleTransformation(scale=[scale for scale, _, _ in along])
    ]
    if any(translation for _, _, translation in along):
        transforms.append(
            v05.TranslationTransformation(translation=[translation for _, _, translation in along])
        )
    image = v05.Image(
        multiscales=[
            v05.Multiscale(
                name=name,
                axes=[
                    _axis(letter, unit)
                    for letter, (_, unit, _) in zip(metadata.axes, along, strict=True)
                ],
                datasets=[v05.Dataset(path=LEVEL, coordinateTransformations=transforms)],
            )
        ]
    )
    return image.model_dump(mode="json", exclude_none=True)


def _axis(letter: str, unit: str | None) -> v05.TimeAxis | v05.ChannelAxis | v05.SpaceAxis:
    name = letter.lower()
    if letter == "T":
        return v05.TimeAxis(name=name, unit=ome_unit(letter, unit))
    if letter == "C":
        return v05.ChannelAxis(name=name)
    return v05.SpaceAxis(name=name, unit=ome_unit(letter, unit))


def channel_attributes(array: zarr.Array[Any], metadata: ImageMetadata) -> dict[str, Any]:
    """Build the ``omero`` part of the ``ome`` attribute: channel names and display windows.

    OMERO's metadata has no name without a window, so the windows are read from the finished
    pixels: a fixed sample of blocks over each channel, the same whenever it is asked for.

    Parameters
    ----------
    array : zarr.Array
        The finished image.
    metadata : ImageMetadata
        In disk order, with channel names.
    """
    names = metadata.channel_names or ()
    colors = cycle(_CHANNEL_COLORS if len(names) > 1 else ("FFFFFF",))
    channels = []
    for index, (name, color) in enumerate(zip(names, colors, strict=False)):
        low, start, end, high = _window(_sample(array, metadata.axes, index))
        channels.append(
            v05.OmeroChannel(
                label=name,
                color=color,
                active=True,
                window=v05.OmeroWindow(min=low, start=start, end=end, max=high),
            )
        )
    return v05.Omero(channels=channels).model_dump(mode="json", exclude_none=True)


def _sample(array: zarr.Array[Any], axes: str, channel: int) -> NDArray[Any]:
    """Pixels of a channel: blocks evenly spread along every axis, about 16 in all."""
    sizes = dict(zip(axes, array.shape, strict=True))
    long = [a for a in axes if a != "C" and sizes[a] > (_SAMPLED_BLOCK_SIZE if a in "YX" else 1)]
    per_axis = max(2, round(_SAMPLED_BLOCKS ** (1 / max(1, len(long)))))
    starts = []
    for letter, size in sizes.items():
        if letter == "C":
            starts.append([channel])
        elif letter not in long:
            starts.append([0])
        else:
            length = _SAMPLED_BLOCK_SIZE if letter in "YX" else 1
            spread = np.linspace(0, size - length, per_axis + 2)[1:-1]
            starts.append(sorted({round(float(start)) for start in spread}))
    pixels = []
    for corner in np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, len(axes)):
        block = tuple(
            slice(int(at), int(at) + (_SAMPLED_BLOCK_SIZE if letter in "YX" else 1))
            for letter, at in zip(axes, corner, strict=True)
        )
        pixels.append(np.asarray(array[block]).ravel())
    return np.concatenate(pixels)


def _window(pixels: NDArray[Any]) -> tuple[float, float, float, float]:
    """Smallest and largest value, between them the 0.1 and 99.9 percentiles."""
    finite = pixels[np.isfinite(pixels)].astype(np.float64)
    if not finite.size:
        return 0.0, 0.0, 1.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return low, low, low + 1.0, low + 1.0
    start, end = (float(value) for value in np.percentile(finite, (0.1, 99.9)))
    return low, start, end, high


def default_chunks(
    axes: str, shape: Sequence[int], core_steps: Mapping[str, int]
) -> tuple[int, ...]:
    """Choose the chunk shape for an array that tiles are written to.

    Any shape can be written once, as the assembler holds what is begun, so chunks serve readers:
    a power of two near the distance of two tiles, 256 or 512 along Y and X of planes (0.25 to
    1 MiB of float32: a viewer's window touches a few, and a plane of 20,000² is 1,600 files); 256
    along Y and X and 16 along Z (4 MiB) where tiles extend along Z, so that neither a plane
    nor a side view reads the whole volume; 1 along everything else, so that a time point or channel
    opens by itself. No chunk is larger than the array.

    Parameters
    ----------
    axes : str
        Axes of the array.
    shape : sequence of int
        Its shape.
    core_steps : mapping of str to int
        Distance of two tiles in pixels along each axis that tiles extend along.
    """
    chunks = []
    for letter, size in zip(axes, shape, strict=True):
        if letter not in core_steps:
            length = 1
        elif letter == "Z":
            length = 16
        else:
            length = 512 if "Z" not in core_steps and core_steps[letter] >= 384 else 256
        chunks.append(min(length, int(size)))
    return tuple(chunks)


def check_chunks(
    chunks: Sequence[int] | None, axes: str, shape: Sequence[int], core_steps: Mapping[str, int]
) -> tuple[int, ...]:
    """Complete the chunk shape that a person asked for.

    ``chunks`` are sizes along the last axes, the others get 1; None for `default_chunks`.
    Raises ValueError where there are too many, or one is below 1.
    """
    if chunks is None:
        return default_chunks(axes, shape, core_steps)
    given = tuple(int(length) for length in chunks)
    if len(given) > len(axes) or any(length < 1 for length in given):
        raise ValueError(
            f"chunks {given} do not fit the axes {axes}: give sizes of at least 1 for the last "
            f"axes, at most {len(axes)}"
        )
    full = (1,) * (len(axes) - len(given)) + given
    return tuple(min(length, int(size)) for length, size in zip(full, shape, strict=True))


def create_pixel_array(
    group: zarr.Group,
    name: str,
    *,
    axes: str,
    shape: Sequence[int],
    chunks: Sequence[int],
    dtype: DTypeLike,
    overwrite: bool = False,
) -> zarr.Array[Any]:
    """Create a Zarr 3 array for predictions: blosc-zstd with bit shuffle.

    It holds NaN (float types) or 0 (integer ones) where nothing was written. Chunks that happen to
    be all NaN or 0 are written too: an absent chunk means "not predicted".
    """
    array = group.create_array(
        name,
        shape=tuple(int(size) for size in shape),
        chunks=tuple(int(length) for length in chunks),
        dtype=np.dtype(dtype),
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
        fill_value=fill_value(dtype),
        dimension_names=[letter.lower() for letter in axes],
        overwrite=overwrite,
        config={"write_empty_chunks": True},
    )
    return array


def open_pixel_array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Open an array that `create_pixel_array` made, to write to it."""
    # open_array takes no runtime configuration; it reads the global one
    with zarr.config.set({"array.write_empty_chunks": True}):
        return zarr.open_array(
            store=group.store, path=f"{group.path}/{name}".lstrip("/"), mode="r+"
        )
