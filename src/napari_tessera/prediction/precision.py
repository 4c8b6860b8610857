"""``precision="auto"``: half precision where it is fast and changes next to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.inference import TileModel
from napari_tessera.prediction.look import look_at
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.tile_io import TileReader
from napari_tessera.region import Region

if TYPE_CHECKING:
    import torch

    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.stacks import ImageStack

MOST_DIFFERENCE = 0.001
"""Largest difference from float32 that ``"auto"`` takes, as a share of the range of the tile."""


def fast_halves(device: torch.device) -> tuple[str, ...]:
    """Precisions that a device computes faster than float32, those first that overflow least.

    Parameters
    ----------
    device : torch.device
        NVIDIA GPUs of compute capability 8.0 on have units for both halves, those of 7.x for
        float16. None on the CPU: bfloat16 is up to 1.9 times faster on processors that have it,
        but its 8 bits are 0.8 % to 3 % of the range off on real U-Nets, which is too much here.
    """
    import torch

    if device.type != "cuda":
        return ()
    major, _ = torch.cuda.get_device_capability(device)
    if major >= 8:
        return ("bfloat16", "float16")
    return ("float16",) if major == 7 else ()


def planned_precision(
    plan: PredictionPlan,
    stack: ImageStack,
    model: Model | ChannelModels,
    halves: Sequence[str] | None = None,
) -> str:
    """Decide a plan's precision by one fixed tile, the middle one of the whole image.

    So a part of an image, its preview and a run over all of it have one precision.

    Parameters
    ----------
    plan : PredictionPlan
        In the precision that the model was loaded in.
    stack : ImageStack
        The image, nothing folded.
    model : Model or ChannelModels
        The model.
    halves : sequence of str, optional
        Precisions to try, the one that is liked best first. Default: `fast_halves`.

    Returns
    -------
    str
        The plan's own, unless it was left open and one of the others differs from it by no more
        than `MOST_DIFFERENCE` of the range of the tile. Where the model fails on the tile, that is
        for the run to tell.
    """
    if not model.is_precision_free or getattr(stack, "is_outline", False):
        return plan.precision
    wanted = fast_halves(model.device) if halves is None else halves
    if not wanted or not plan.total_tiles:
        return plan.precision
    try:
        once = _of_everything(plan, stack, model)
        tile = TileReader(once, stack, model).read(0, once.tiles.spec(once.tiles.n_tiles // 2))
        expected = _predicted(once, model, tile)
        for precision in wanted:
            if _is_close(_predicted(replace(once, precision=precision), model, tile), expected):
                return precision
    except Exception:
        # any exception: the network is somebody's code, and memory may be short
        return plan.precision
    return plan.precision


def _of_everything(
    plan: PredictionPlan, stack: ImageStack, model: Model | ChannelModels
) -> PredictionPlan:
    """The same for the whole image, as far as its middle tile needs it.

    Test-time augmentation is left out: one turn is enough, and a disagreement is no image.
    """
    whole = replace(plan, tta="none", region_selection={}, inside=None)
    whole = whole.with_settings(batch_size=1)
    ranges, layout = plan.normalization, plan.layout
    sample, _ = whole.tiles.position(whole.tiles.n_tiles // 2)
    base, _, _ = layout.base_sample(sample)
    if ranges.kind != "time_point" or not ranges.samples or base in ranges.samples:
        return whole
    s, t = divmod(base, layout.base.original_dim_sizes.get("T", 1))
    at = {letter: [i] for letter, i in (("S", s), ("T", t)) if letter in layout.output_axes}
    area = Region.from_json(layout.output_axes, layout.output_shape, at)
    kind, channels = ranges.kind, plan.input_channels
    seen = look_at(
        stack, layout, area, channels, model, kind, "sample", hot_pixels=plan.hot_pixels
    ).normalization
    numbers = replace(ranges, samples=seen.samples, values=seen.values)
    return replace(whole, normalization=numbers)


def _predicted(
    plan: PredictionPlan, model: Model | ChannelModels, tile: Any
) -> NDArray[np.float64]:
    with TileModel(plan, model) as tile_model:
        return tile_model.whole([tile])[0].astype(np.float64)


def _is_close(answer: NDArray[np.float64], expected: NDArray[np.float64]) -> bool:
    """Whether two predictions are near enough, and finite at the same pixels."""
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(answer)) or not finite.any():
        return False
    apart, extent = np.abs(answer[finite] - expected[finite]).max(), np.ptp(expected[finite])
    # a tile of one value tells nothing
    return bool(extent > 0 and apart <= MOST_DIFFERENCE * extent)
