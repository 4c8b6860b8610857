"""Colours as napari shows them: uint8, colour axis last, alpha copied from the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.stacks import LayerStack
from napari_tessera.widgets.fields.layer_facts import pixels_of


@dataclass(frozen=True)
class Colours:
    """How predicted colours become the pixels of an rgb layer.

    Parameters
    ----------
    dtype : str
        dtype of the input: its range becomes 0…255. Floating colours reach from 0 to 1.
    source : array-like
        The input's pixels, colour axis last, with 3 or 4 entries; the fourth is alpha.
    """

    dtype: str
    source: Any = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Colours) and other.dtype == self.dtype and other.source is self.source
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def n(self) -> int:
        """3, or 4 with alpha."""
        return int(self.source.shape[-1])

    def to_uint8(self, core: NDArray[Any]) -> NDArray[np.uint8]:
        """Round and clip colours in the input's range to 0…255."""
        dtype = np.dtype(self.dtype)
        top = np.iinfo(dtype).max if dtype.kind in "iu" else 1
        scaled = np.rint(core * np.float32(255 / top)) if top != 255 else np.rint(core)
        colours: NDArray[np.uint8] = np.nan_to_num(np.clip(scaled, 0, 255)).astype(np.uint8)
        return colours

    def put(
        self,
        array: NDArray[np.uint8],
        target: tuple[slice, ...],
        core: NDArray[Any],
        start: Sequence[int],
    ) -> None:
        """Write predicted colours, and the input's alpha beside them.

        Parameters
        ----------
        array : numpy.ndarray
            Output, colour axis last.
        target : tuple of slice
            Where in the output, colour axis included.
        core : numpy.ndarray
            Colours, in the input's range: all three, or the one that ``target`` names.
        start : sequence of int
            Index of the input's pixel that the output begins with.
        """
        place: tuple[slice | int, ...] = target[:-1]
        array[target] = self.to_uint8(core)
        if self.n == 4:
            inputs = tuple(
                slice(part.start + at, part.stop + at)
                for part, at in zip(target[:-1], start, strict=False)
            )
            array[(*place, 3)] = self.alpha(inputs)

    def alpha(self, place: tuple[slice, ...]) -> NDArray[np.uint8]:
        """Alpha of part of the input."""
        return self.to_uint8(np.asarray(self.source[(*place, slice(3, 4))])[..., 0])


def colours_of(layer: Any, stack: LayerStack) -> Colours | None:
    """Colours of an rgb layer whose last axis is C; None for any other layer."""
    if not layer.rgb or not stack.original_axes.endswith("C"):
        return None
    return Colours(str(stack.data_dtype), pixels_of(layer))
