"""An OME-Zarr image in the axis order of a layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.axes import AXES
from napari_tessera.prediction import PredictionPlan
from napari_tessera.region import Region
from napari_tessera.widgets.lazy_array import Bounds, LazyArray, Reordered
from napari_tessera.widgets.rgb import Colours
from napari_tessera.writing.ome.order import OmeOrder


def display_axes(plan: PredictionPlan, letters: str, rgb: bool) -> str:
    """Axes of the array that the output layer shows.

    The input's, so that each slider moves both layers. A channel axis that the input layer has
    not comes first, where the viewer has room for it; one of length 1 goes.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    letters : str
        Letters of the input layer's dimensions.
    rgb : bool
        Whether the output is shown in colours; C is then last and no dimension.
    """
    if rgb:
        return letters + "C"
    extra = [letter for letter in plan.layout.output_axes if letter not in letters]
    sizes = dict(zip(plan.layout.output_axes, plan.layout.output_shape, strict=True))
    return "".join(letter for letter in extra if sizes[letter] > 1) + letters


def as_displayed(array: Any, axes: str, order: str) -> Any:
    """A view of an array with its axes in the order of a layer.

    Parameters
    ----------
    array : numpy.ndarray or LazyArray
        An output.
    axes : str
        Its axes.
    order : str
        Axes wanted. One of length 1 may be missing.
    """
    if isinstance(array, LazyArray):
        return Reordered(array, axes, order)
    shown = array.transpose(
        [axes.index(a) for a in order] + [i for i, a in enumerate(axes) if a not in order]
    )
    return shown.squeeze(tuple(range(len(order), shown.ndim)))


def shown_as_stored(order: str, held: Region) -> bool:
    """Whether the array on disk has the axes of a layer, in the same order.

    Parameters
    ----------
    order : str
        Axes of the array that the layer shows.
    held : Region
        What is on disk.
    """
    samples = "S" in order and "T" in order
    on_disk = OmeOrder(held.axes, held.selected_shape).disk_axes
    return not samples and order.replace("S", "T") == on_disk


class DiskView(LazyArray):
    """An OME-Zarr array (T, C, Z, Y, X, samples in T) in another order, or as colours.

    Parameters
    ----------
    array : zarr.Array
        What is on disk.
    held : Region
        What it holds, over the axes of the output.
    order : str
        Axes wanted. One of length 1 may be missing.
    colours : Colours, optional
        Makes uint8 colours; C is then last.
    """

    def __init__(
        self, array: Any, held: Region, order: str, colours: Colours | None = None
    ) -> None:
        sizes = dict(zip(held.axes, held.selected_shape, strict=True))
        shape = [sizes[letter] for letter in order]
        if colours is not None:
            shape[-1] = colours.n
        super().__init__(shape, np.uint8 if colours is not None else array.dtype)
        self._array = array
        self._held = held
        self._order = order
        self._colours = colours
        self._ome = OmeOrder(held.axes, held.selected_shape)

    @property
    def reads(self) -> tuple[Any, ...]:
        """What is on disk."""
        return (self._array,)

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        colours = self._colours
        if colours is None:
            return self._read(bounds)
        *place, (first, last) = bounds
        start = [chosen[0] for chosen in self._held.indices]
        pixels = np.empty([b - a for a, b in place] + [colours.n], np.uint8)
        pixels[..., :3] = colours.to_uint8(self._read((*place, (0, 3))))
        if colours.n == 4:
            pixels[..., 3] = colours.alpha(
                tuple(slice(a + at, b + at) for (a, b), at in zip(place, start, strict=False))
            )
        return pixels[..., first:last]

    def _read(self, bounds: Bounds) -> NDArray[Any]:
        parts = dict(zip(self._order, bounds, strict=True))
        target = [slice(*parts.get(letter, (0, 1))) for letter in self._held.axes]
        if "S" not in self._held.axes:
            return self._ordered(self._block(target))
        at = self._held.axes.index("S")
        samples = range(target[at].start, target[at].stop)
        blocks = []
        for sample in samples:
            target[at] = slice(sample, sample + 1)
            blocks.append(self._block(target))
        if not blocks:
            return np.empty([b - a for a, b in bounds], self.dtype)
        return self._ordered(np.concatenate(blocks, axis=at))

    def _block(self, target: list[slice]) -> NDArray[Any]:
        """Read one sample, in the order of the output's axes."""
        on_disk = np.asarray(self._array[self._ome.to_disk_slices(target)])
        axes = self._held.axes
        sizes = {a: part.stop - part.start for a, part in zip(axes, target, strict=True)}
        stored = [letter for letter in AXES if letter in axes]
        block = on_disk.reshape([sizes[letter] for letter in stored])
        return block.transpose([stored.index(letter) for letter in axes])

    def _ordered(self, block: NDArray[Any]) -> NDArray[Any]:
        axes = self._held.axes
        gone = tuple(axes.index(letter) for letter in axes if letter not in self._order)
        left = [letter for letter in axes if letter in self._order]
        return block.squeeze(gone).transpose([left.index(letter) for letter in self._order])
