"""What a plan's tiles read of an image, for what keeps decoded chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from napari_tessera.prediction.hot_pixels import MARGIN
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.stacks.reading.expected import ExpectedReads, Parts


def expected_reads(plan: PredictionPlan) -> ExpectedReads:
    """The reads of a plan's tiles, in the order in which they come unless something is in front.

    Tiles that are skipped are among them, and where tiles are blended all those of the image that
    may be needed beside the region's: a read that does not come costs memory for a while.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.

    Returns
    -------
    ExpectedReads
        In the axes of the image; channels as the stack numbers them.
    """
    tiles = plan.tiles
    parts = {}
    for letter in plan.layout.sample_sizes:
        chosen = tiles.region.along(letter)
        if isinstance(chosen, range):
            # stays one, however long the axis is
            parts[letter] = Parts(chosen, range(chosen.start + 1, chosen.stop + 1))
        else:
            parts[letter] = Parts.of((index, index + 1) for index in chosen)
    for letter, axis, grid in zip(
        plan.layout.spatial_axes, plan.patching.axes(0), tiles.grid, strict=True
    ):
        wanted = grid if plan.blending == "crop" else range(axis.n)
        starts = (axis.tile(number)[0] for number in wanted)
        margin = MARGIN if plan.hot_pixels is not None and letter in "YX" else 0
        parts[letter] = Parts.of(_spans(starts, axis.patch, axis.size, margin))
    return ExpectedReads(parts)


def _spans(starts: Iterable[int], patch: int, size: int, margin: int) -> Iterator[tuple[int, int]]:
    """What is read of an axis for tiles that begin there, with a margin where the image has it."""
    before = -1
    for start in starts:
        first = max(0, start - margin)
        # tiles a pixel or two apart begin as one: that is no more than another decoding
        if first > before:
            yield first, min(start + patch + margin, size)
            before = first
