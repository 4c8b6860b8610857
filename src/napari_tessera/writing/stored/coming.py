"""What of a run's region comes, seen from the array that holds it."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from napari_tessera.region import Region
from napari_tessera.writing.chunks.coverage import Coverage
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.run_info import RunInfo


def coming_into(run: RunInfo, region: Region, order: OmeOrder | None = None) -> Coverage | None:
    """What comes into an array of a run.

    Parameters
    ----------
    run : RunInfo
        The run.
    region : Region
        What the array holds: the run's region, or more of the same image.
    order : OmeOrder, optional
        The array's axis order; default: the region's own.

    Returns
    -------
    Coverage or None
        None where no tile is skipped.
    """
    if run.coverage is None:
        return None
    coverage = in_larger(run.coverage, run.region, region)
    return coverage if order is None else on_disk(coverage, order)


def in_larger(coverage: Coverage, region: Region, larger: Region) -> Coverage:
    """The coverage of an array that holds more than the region.

    Parameters
    ----------
    coverage : Coverage
        Of an array of the region's shape.
    region, larger : Region
        Parts of the same image, the second with all that the first has. What it has besides is
        taken to come: channels are copied, and what lies around the region belongs to no tile.
    """
    for axis, (own, all_) in enumerate(zip(region.indices, larger.indices, strict=True)):
        if len(own) != len(all_):
            coverage = _with_more(coverage, axis, own, all_)
    return coverage


def _with_more(
    coverage: Coverage, axis: int, own: range | tuple[int, ...], all_: range | tuple[int, ...]
) -> Coverage:
    cuts, comes = coverage.cuts[axis], coverage.comes
    begins = np.searchsorted(all_, np.asarray(own))
    scattered = len(own) > 1 and bool((np.diff(begins) != 1).any())
    if scattered:
        new_cuts = np.arange(len(all_) + 1)
        source: NDArray[np.int64] = np.full(len(all_), -1)
        source[begins] = np.searchsorted(cuts, np.arange(len(own)), "right") - 1
    else:
        first, size = int(begins[0]), len(all_)
        inner = cuts + first
        new_cuts = np.unique(np.concatenate([[0], inner, [size]]))
        source = np.searchsorted(inner, new_cuts[:-1], "right") - 1
        source[new_cuts[:-1] >= inner[-1]] = -1
    if comes.shape[axis] == 1:
        source = np.minimum(source, 0)
    taken = comes.take(source, axis)
    taken[(slice(None),) * axis + (source < 0,)] = True
    every = list(coverage.cuts)
    every[axis] = new_cuts
    return Coverage(tuple(every), taken)


def on_disk(coverage: Coverage, order: OmeOrder) -> Coverage:
    """The coverage of an array in the order of axes on disk, S and T as one axis."""
    comes, cuts = coverage.comes, dict(zip(order.axes, coverage.cuts, strict=True))
    merged = [order.axes.index(letter) for letter in "ST" if letter in order.axes]
    if any(comes.shape[axis] > 1 for axis in merged):
        # each index of these is a cell of its own, as samples are
        shape = [order.shape[axis] if axis in merged else n for axis, n in enumerate(comes.shape)]
        comes = np.broadcast_to(comes, shape)
    times = prod(order.shape[axis] for axis in merged)
    cuts["T"] = np.arange(times + 1)
    return Coverage(tuple(cuts[letter] for letter in order.disk_axes), order.to_disk(comes))
