"""Patches that reach over the image's edges: which part is inside, and zeros around it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import index

import numpy as np
from numpy.typing import NDArray

from napari_tessera.axes import check_channels
from napari_tessera.stacks.checks import shown


def check_patch(
    data_shape: Sequence[int],
    sample_idx: int,
    channels: Sequence[int] | None,
    coords: Sequence[int],
    patch_size: Sequence[int],
) -> tuple[int, ...] | None:
    """Check that a patch can be asked of an image of shape ``SC(Z)YX``, and give its channels.

    They are to be read from what is returned: an iterator has none left after this.

    Raises
    ------
    IndexError
        If the sample or a channel is outside the image.
    TypeError
        If any of them is no whole number, or no sequence of such.
    ValueError
        If coords or patch_size have a wrong length, or a size is below 1.
    """
    chosen = None
    try:
        if channels is not None:
            chosen = tuple(channels)
            if bool in map(type, chosen):
                raise TypeError
        for number in (sample_idx, *coords, *patch_size, *(chosen or ())):
            index(number)
    except TypeError:
        raise TypeError(
            f"sample {shown(sample_idx)}, channels {shown(channels)}, coords {shown(coords)} and "
            f"patch size {shown(patch_size)} must be whole numbers"
        ) from None
    if not 0 <= sample_idx < data_shape[0]:
        raise IndexError(f"sample {sample_idx} is outside 0…{data_shape[0] - 1}")
    if chosen is not None:
        check_channels(chosen, data_shape[1])
    if not len(coords) == len(patch_size) == len(data_shape) - 2:
        raise ValueError(
            f"coords {tuple(coords)} and patch size {tuple(patch_size)} need one number for each "
            f"of {'ZYX'[5 - len(data_shape) :]}"
        )
    if min(patch_size) < 1:
        raise ValueError(f"patch size {tuple(patch_size)}: every size must be at least 1")
    return chosen


def inside(
    coords: Sequence[int], patch_size: Sequence[int], spatial_shape: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Start and size of the part of a patch that lies in the image (size 0 where none does)."""
    starts, sizes = [], []
    for at, size, length in zip(coords, patch_size, spatial_shape, strict=True):
        start = index(at)
        stop = start + index(size)
        # min and max would take longer than the rest of this
        start = 0 if start < 0 else length if start > length else start
        stop = 0 if stop < 0 else length if stop > length else stop
        starts.append(start)
        sizes.append(stop - start)
    return tuple(starts), tuple(sizes)


def pad_patch(
    coords: Sequence[int],
    patch_size: Sequence[int],
    data_shape: Sequence[int],
    patch_data: NDArray[np.generic],
) -> NDArray[np.generic]:
    """Zero-pad what was read inside the image to the patch that was asked for.

    Parameters
    ----------
    coords, patch_size : sequence of int
        Start and size of the patch along (Z)YX; coords may be negative.
    data_shape : sequence of int
        Shape of the image, ``SC(Z)YX``.
    patch_data : numpy.ndarray
        ``C(Z)YX``: the part of the patch that lies inside the image.

    Returns
    -------
    numpy.ndarray
        ``C(Z)YX`` of size ``patch_size``: a new, contiguous array, also where nothing is padded.

    Raises
    ------
    ValueError
        If ``patch_data`` is not the part inside the image.
    """
    start, size = inside(coords, patch_size, data_shape[2:])
    if patch_data.shape[1:] != size:
        raise ValueError(
            f"a patch of size {tuple(patch_size)} at {tuple(coords)} has {size} pixels inside "
            f"{tuple(data_shape)}, but {patch_data.shape[1:]} were given"
        )
    return zero_padded(patch_data, coords, patch_size, start)


def zero_padded(
    block: NDArray[np.generic],
    coords: Sequence[int],
    patch_size: Sequence[int],
    start: Sequence[int],
    copy: bool = True,
) -> NDArray[np.generic]:
    """`pad_patch` of the part that is known to begin at ``start``: what `inside` gave.

    Without ``copy`` a block that fills the patch is the patch itself, where it is laid out so.
    """
    if block.shape[1:] == tuple(patch_size):
        if not copy and block.flags.c_contiguous and block.flags.writeable:
            return block
        return np.array(block, order="C")
    patch = np.zeros((block.shape[0], *patch_size), dtype=block.dtype)
    offsets = (at - int(coord) for at, coord in zip(start, coords, strict=True))
    target = (slice(at, at + n) for at, n in zip(offsets, block.shape[1:], strict=True))
    patch[(slice(None), *target)] = block
    return patch


def take_channels(
    block: NDArray[np.generic], wanted: Sequence[int], first: int
) -> NDArray[np.generic]:
    """Choose channels out of a block that holds a contiguous range of them.

    Parameters
    ----------
    block : numpy.ndarray
        ``C(Z)YX`` with channels ``first``, ``first + 1``, …
    wanted : sequence of int
        The channels to keep, in this order; channels may repeat.

    Returns
    -------
    numpy.ndarray
        A view where the wanted channels are the block's.
    """
    if len(wanted) == len(block) == 1:
        return block
    if wanted[0] == first and all(after - before == 1 for before, after in pairwise(wanted)):
        return block[: len(wanted)]
    return block[[channel - first for channel in wanted]]
