"""What each patch must hold, taken from an array of the same pixels by NumPy's slicing alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.stacks.array import ArrayLike

Patch = tuple[int, Sequence[int] | None, Sequence[int], Sequence[int]]
"""Arguments of ``extract_patch``: sample, channels, coords, size."""


@dataclass(frozen=True)
class Reference:
    """An array that holds an image's pixels, and where the patches of a stack lie in it.

    Shares no code with the stacks, so that both cannot be wrong alike. Only what a patch needs
    is taken from the array: it may be larger than memory.

    Parameters
    ----------
    array : array-like
        The pixels in the image's own axes; anything that slices as NumPy does.
    axes : str
        One letter out of ``STCZYX`` per axis of ``array``.
    fold : {"", "Z", "C", "ZC"}
        Axes that are samples too, after S and T (see `napari_tessera.stacks.SampleView`).
    """

    array: ArrayLike
    axes: str
    fold: str = ""

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each axis by letter."""
        return {letter: int(size) for letter, size in zip(self.axes, self.array.shape, strict=True)}

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels, in native byte order."""
        native: np.dtype[Any] = np.dtype(self.array.dtype).newbyteorder("=")
        return native

    @property
    def merged(self) -> str:
        """Axes that make up the samples, the slowest first: S, T, then those folded."""
        return "".join(letter for letter in "ST" + self.fold if letter in self.axes)

    @property
    def spatial(self) -> str:
        """Axes of space: ``ZYX`` or ``YX``."""
        return "".join(a for a in "ZYX" if a in self.axes and a not in self.fold)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape as ``SC(Z)YX``."""
        sizes = self.sizes
        channels = 1 if "C" in self.fold else sizes.get("C", 1)
        samples = prod(sizes[letter] for letter in self.merged)
        return (samples, channels, *(sizes[letter] for letter in self.spatial))

    def patch(self, patch: Patch) -> NDArray[np.generic]:
        """What ``extract_patch`` must give: ``C(Z)YX``, zero outside the image."""
        sample, channels, coords, size = patch
        sizes = self.sizes
        at = np.unravel_index(sample, [sizes[letter] for letter in self.merged] or [1])
        index: dict[str, int | slice] = {
            letter: int(i) for letter, i in zip(self.merged, at, strict=False)
        }
        margins = []
        for letter, start, length in zip(self.spatial, coords, size, strict=True):
            first, stop = int(start), int(start) + int(length)
            before = min(max(-first, 0), int(length))
            after = min(max(stop - sizes[letter], 0), int(length))
            margins.append((before, after))
            index[letter] = slice(first + before, stop - after)
        chosen = range(self.shape[1]) if channels is None else [int(c) for c in channels]
        if any(sum(margin) >= int(n) for margin, n in zip(margins, size, strict=True)):
            return np.zeros((len(chosen), *(int(n) for n in size)), self.dtype)
        block = np.asarray(self.array[tuple(index.get(a, slice(None)) for a in self.axes)])
        left = [a for a in self.axes if a not in self.merged]
        block = block.transpose([left.index(a) for a in "CZYX" if a in left])
        block = block if "C" in left else block[np.newaxis]
        return np.pad(block.astype(self.dtype)[list(chosen)], [(0, 0), *margins])
