"""Numbers of patches over several image stacks: cumulated counts as bins."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


def locate(bins: Sequence[int], index: int) -> tuple[int, int]:
    """Image stack of patch ``index``, and the patch's number within that stack.

    Parameters
    ----------
    bins : sequence of int
        Cumulated numbers of patches, one entry per image stack.
    index : int
        Number of a patch, 0…bins[-1]−1.

    Raises
    ------
    IndexError
        If ``index`` is outside, negative numbers included.
    """
    if not 0 <= index < bins[-1]:
        raise IndexError(f"patch {index} is outside 0…{bins[-1] - 1}")
    data_idx = bisect_right(bins, index)
    return data_idx, int(index) - (bins[data_idx - 1] if data_idx else 0)


def stack_indices(bins: Sequence[int], data_idx: int) -> range:
    """Numbers of the patches of image stack ``data_idx``; IndexError if there is none."""
    if not 0 <= data_idx < len(bins):
        raise IndexError(f"image stack {data_idx} is outside 0…{len(bins) - 1}")
    return range(bins[data_idx - 1] if data_idx else 0, bins[data_idx])
