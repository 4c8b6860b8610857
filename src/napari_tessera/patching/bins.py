"""Numbers of patches over several image stacks: cumulated counts as bins."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import index as as_int

import numpy as np

from napari_tessera.patching.checks import shown


def checked_index(name: str, index: int, n: int | None = None) -> int:
    """Check that ``index`` is one of 0…n−1 (without an end where ``n`` is None), and give an int.

    Raises
    ------
    IndexError
        If it is outside, negative numbers included.
    TypeError
        If it is not a whole number; a bool is none.
    """
    try:
        if isinstance(index, bool | np.bool):
            raise TypeError
        number = as_int(index)
    except TypeError:
        raise TypeError(f"{name} {shown(index)} is not a whole number") from None
    if number < 0 or (n is not None and number >= n):
        if n == 0:
            raise IndexError(f"{name} {number} is not there: there is none")
        raise IndexError(f"{name} {number} is outside 0…{'' if n is None else n - 1}")
    return number


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
    TypeError
        If it is not a whole number.
    """
    number = checked_index("patch", index, bins[-1])
    data_idx = bisect_right(bins, number)
    return data_idx, number - (bins[data_idx - 1] if data_idx else 0)


def stack_indices(bins: Sequence[int], data_idx: int) -> range:
    """Numbers of the patches of image stack ``data_idx``.

    Raises
    ------
    IndexError
        If there is no such image stack.
    TypeError
        If ``data_idx`` is not a whole number.
    """
    number = checked_index("image stack", data_idx, len(bins))
    return range(bins[number - 1] if number else 0, bins[number])


def unravel(number: int, grid: Sequence[int]) -> tuple[int, ...]:
    """Position in a grid of the cell with this number in C order (X fastest).

    Unlike ``numpy.unravel_index`` it knows no largest number.
    """
    at = []
    for n in reversed(grid):
        number, i = divmod(number, n)
        at.append(i)
    return tuple(reversed(at))


class SampleBins:
    """Patches numbered image stack by image stack, and within a stack sample by sample.

    Every sample of a stack has the same number of patches. Counts are Python integers: there is
    no largest one.

    Parameters
    ----------
    counts : iterable of tuple of int
        Of each image stack, its number of samples and the number of patches per sample.
    """

    def __init__(self, counts: Iterable[tuple[int, int]]) -> None:
        counted = tuple(counts)
        self._per_sample = tuple(patches for _, patches in counted)
        self._bins = tuple(accumulate(samples * patches for samples, patches in counted))

    @property
    def n_patches(self) -> int:
        """Number of patches over all image stacks."""
        return self._bins[-1]

    def locate(self, index: int) -> tuple[int, int, int]:
        """Image stack and sample of patch ``index``, and its number within the sample.

        Raises IndexError outside 0…n_patches−1, TypeError if ``index`` is not a whole number.
        """
        data_idx, within = locate(self._bins, index)
        return data_idx, *divmod(within, self._per_sample[data_idx])

    def indices(self, data_idx: int) -> range:
        """Numbers of the patches of image stack ``data_idx``; IndexError if there is none."""
        return stack_indices(self._bins, data_idx)

    def count(self, data_idx: int) -> int:
        """Number of patches of image stack ``data_idx``; ``len`` of a range ends at 2⁶³−1."""
        numbers = self.indices(data_idx)
        return numbers.stop - numbers.start
