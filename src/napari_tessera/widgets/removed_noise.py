"""What denoising took away: input − output, computed where it is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_tessera.widgets.fields.layer_facts import pixels_of
from napari_tessera.widgets.lazy_array import Bounds, EveryNth, KeptArray, LazyArray
from napari_tessera.widgets.output_layer import (
    OUTPUT_KEY,
    add_output_layer,
    placement,
    replace_layer,
)
from napari_tessera.widgets.view_sample import sample_in_view

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_tessera.widgets.layer_run import LayerRun

SUFFIX = "_removed_noise"

_PLANE = 2


class LiveOutput(Protocol):
    """An output that fills: of a run, or of a live preview."""

    layer: Image | None
    companions: list[Image]

    @property
    def axes(self) -> str:
        """Letters of the layer's dimensions."""
        ...

    @property
    def store(self) -> Any:
        """Where the pixels are: it knows the region ``held``, and the ``colours``."""
        ...


class DifferenceArray(LazyArray):
    """Input minus output, float32, NaN where the output is not finished.

    Parameters
    ----------
    before : array-like
        The input: the output's axes, of any dtype, not smaller.
    after : array-like
        The output. In an integer one, which has no NaN, 0 counts as not finished.
    start : tuple of int
        Index of the input's pixel that the output begins with.
    rgb : bool
        Whether both end in a colour axis; the difference is then the mean of the colours, and
        has no such axis.

    Raises
    ------
    ValueError
        If the input has not what the output shows.
    """

    def __init__(
        self, before: Any, after: Any, start: tuple[int, ...] | None = None, rgb: bool = False
    ) -> None:
        shape = tuple(after.shape[:-1] if rgb else after.shape)
        super().__init__(shape, np.float32)
        self._before, self._after, self._rgb = before, after, rgb
        self._start = start or (0,) * len(shape)
        available = tuple(before.shape[:-1] if rgb else before.shape)
        if len(available) != len(shape) or any(
            at + size > has for at, size, has in zip(self._start, shape, available, strict=True)
        ):
            raise ValueError(
                f"an output of shape {shape} at {self._start} cannot be compared with an input "
                f"of shape {available}: choose an output of the same axes"
            )

    @property
    def reads(self) -> tuple[Any, ...]:
        """Input and output."""
        return self._before, self._after

    def _compute(self, bounds: Bounds) -> NDArray[np.float32]:
        there = tuple(slice(a, b) for a, b in bounds)
        here = tuple(slice(a + at, b + at) for (a, b), at in zip(bounds, self._start, strict=True))
        if self._rgb:
            there, here = (*there, slice(0, 3)), (*here, slice(0, 3))
        before = np.asarray(self._before[here]).astype(np.float32)
        after = np.asarray(self._after[there])
        unfinished = after == 0 if after.dtype.kind in "iu" else np.isnan(after)
        with np.errstate(invalid="ignore"):
            removed = before - after.astype(np.float32)
        if self._rgb:
            removed, unfinished = removed.mean(axis=-1), unfinished.all(axis=-1)
        return np.where(unfinished, np.float32(np.nan), removed).astype(np.float32)


def difference_levels(
    before: Any, after: Sequence[Any], start: tuple[int, ...], rgb: bool
) -> list[LazyArray]:
    """Input minus output at each level that the output has.

    Of the input every so many pixels are taken, as of an output that is not finished: means of
    them would have next to no noise left to be removed.

    Parameters
    ----------
    before, start, rgb
        As for `DifferenceArray`.
    after : sequence of array-like
        The output's levels, the full size first.
    """
    whole = DifferenceArray(before, after[0], start, rgb)
    levels: list[LazyArray] = [whole]
    for level in after[1:]:
        shape = tuple(level.shape[:-1] if rgb else level.shape)
        steps = [
            (size - 1) // (n - 1) if n > 1 else 1
            for size, n in zip(whole.shape, shape, strict=True)
        ]
        picked = EveryNth(before, start, steps, shape)
        levels.append(DifferenceArray(picked, level, None, rgb))
    if whole.ndim == _PLANE:
        # napari reads the smallest level of a plane once.
        levels[-1] = KeptArray(levels[-1])
    return levels


def find_removed_noise(viewer: ViewerModel, output: Image) -> Image | None:
    """Find the removed-noise layer of an output."""
    for layer in viewer.layers:
        if layer.metadata.get(OUTPUT_KEY) == output.unique_id:
            found: Image = layer
            return found
    return None


def add_removed_noise(
    viewer: ViewerModel, source: Image, letters: str, live: LiveOutput
) -> Image | None:
    """Add the removed-noise layer of an output, or find the one that is there.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    source : napari.layers.Image
        The input layer.
    letters : str
        Letters of its dimensions.
    live : LiveOutput
        The output; it keeps the layer up to date.

    Returns
    -------
    napari.layers.Image or None
        The layer, gray, with contrast limits symmetric about 0; None where there is no output
        yet.

    Raises
    ------
    ValueError
        If the output has other axes or channels than the input.
    """
    if live.layer is None:
        return None
    layer = find_removed_noise(viewer, live.layer)
    if layer is not None:
        live.companions[:] = [layer]
        layer.visible = True
        return layer
    difference = _difference(source, letters, live)
    limit = _limit(viewer, live, difference)
    look: dict[str, Any] = {
        "colormap": "gray",
        "contrast_limits": (-limit, limit),
        "metadata": {OUTPUT_KEY: live.layer.unique_id},
    }
    if live.layer.blending != "additive":
        look["blending"] = str(live.layer.blending)
    place = placement(source, letters, letters, live.store.held)
    layer = add_output_layer(viewer, live.layer, difference, f"{source.name}{SUFFIX}", place, look)
    live.companions[:] = [layer]
    return layer


def show_removed_noise(viewer: ViewerModel, runs: Iterable[LayerRun]) -> list[str]:
    """Add or bring back the removed noise of runs; returns why where there is none."""
    problems = []
    for run in runs:
        output = None if run.live is None else run.live.layer
        if run.live is None or output is None or output not in viewer.layers:
            continue
        if not run.has_its_data:
            problems.append(
                f"{run.name} shows other data than {output.name} was made of: denoise it "
                "again to see what is removed"
            )
            continue
        try:
            add_removed_noise(viewer, run.source, run.letters, run.live)
        except ValueError as error:
            problems.append(str(error))
    return problems


def renew_smallest(layers: Iterable[Image]) -> None:
    """Read anew what napari reads only once: the smallest level of planes that are shown."""
    for layer in layers:
        smallest = layer.data[-1] if layer.multiscale else None
        if isinstance(smallest, KeptArray):
            smallest.renew()


def follow_output(viewer: ViewerModel, source: Image, letters: str, live: LiveOutput) -> None:
    """Let the removed-noise layer of an output that is used again, if any, show the new one."""
    layer = None if live.layer is None else find_removed_noise(viewer, live.layer)
    if layer is None:
        return
    try:
        difference = _difference(source, letters, live)
    except ValueError:
        # There is none of what the output shows now, and that of before is nothing to look at.
        live.companions[:] = []
        viewer.layers.remove(layer)
        return
    place = placement(source, letters, letters, live.store.held)
    if bool(layer.multiscale) != isinstance(difference, list):
        layer = replace_layer(viewer, layer, difference, place, {})
    else:
        layer.data = difference
        for name, value in place.items():
            setattr(layer, name, value)
    live.companions[:] = [layer]


def _difference(source: Image, letters: str, live: LiveOutput) -> LazyArray | list[LazyArray]:
    output = live.layer
    assert output is not None
    if live.axes != letters:
        raise ValueError(
            f"{output.name} has other channels than {source.name}: there is no difference"
        )
    before = pixels_of(source)
    start = tuple(live.store.held.along(letter)[0] for letter in letters)
    rgb = live.store.colours is not None
    if output.multiscale:
        return difference_levels(before, list(output.data), start, rgb)
    return DifferenceArray(before, output.data, start, rgb)


def _limit(viewer: ViewerModel, live: LiveOutput, difference: LazyArray | list[LazyArray]) -> float:
    """Three standard deviations of what was removed, in the middle of the view."""
    output = live.layer
    assert output is not None
    whole = difference[0] if isinstance(difference, list) else difference
    finite = sample_in_view(viewer, output, live.axes, whole)
    if finite.size and finite.std() > 0:
        return float(3 * finite.std())
    low, high = output.contrast_limits
    return float(max(abs(high - low) / 10, 1e-6))
