"""Plans of whole images for somebody who looks at a small part: statistics come as needed."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction import PredictionPlan
from napari_tessera.prediction.look import look_at
from napari_tessera.prediction.plan import base_samples
from napari_tessera.prediction.planning import resolve_batch_size
from napari_tessera.prediction.statistics import samples_to_look_at
from napari_tessera.region import Region
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.preview.same_pixels import pixels_key, with_samples

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

KEPT_PLANS = 32
"""Settings whose plans are kept, to go back to them at once."""


@dataclass(frozen=True)
class LayerWish:
    """What of one image is looked at, and with which settings it is to be denoised.

    Parameters
    ----------
    run : LayerRun
        A run of everything of the image, which is never run: settings, image, letters.
    image : str
        Name for the layer and the data that it has now.
    selection : mapping
        What is on display, by axis letter of the image.
    position : mapping
        What of it lies in the middle.
    """

    run: LayerRun
    image: str
    selection: Mapping[str, slice | int]
    position: Mapping[str, float]


@dataclass(frozen=True)
class Planned:
    """A plan for everything, with statistics of the samples that were looked at so far.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    model : Model or ChannelModels
        Its model.
    name : str
        Set of the cache that its tiles belong to.
    """

    plan: PredictionPlan
    model: Model | ChannelModels
    name: str


class PreviewPlans:
    """Makes and keeps plans. For one thread, but for `kept`.

    Statistics are those that a run of everything would have: they do not depend on which other
    samples are looked at. So a long series need not be measured up front.

    Parameters
    ----------
    models : ModelCache
        Has the models.
    """

    def __init__(self, models: ModelCache) -> None:
        self._models = models
        self._kept: OrderedDict[tuple[Any, ...], Planned] = OrderedDict()
        self._last: dict[int, tuple[LayerRun, tuple[Any, ...]]] = {}

    @property
    def kept(self) -> tuple[Planned, ...]:
        """Plans made so far; from any thread."""
        return tuple(self._kept.copy().values())

    def get(self, wish: LayerWish, goes_on: Callable[[], bool]) -> Planned | None:
        """The plan of a wish, with statistics of all samples that it looks at.

        Parameters
        ----------
        wish : LayerWish
            What is wanted.
        goes_on : callable
            Whether it still is: asked between samples.

        Returns
        -------
        Planned or None
            None where it is wanted no longer.

        Raises
        ------
        PlanError, ModelError
            If the model cannot be loaded, or does not suit the image.
        """
        known = self._last.get(id(wish.run))
        if known is not None and known[0] is wish.run:
            key = known[1]
        else:
            request = wish.run.request
            model = self._models.get(request.source, request.device, request.precision)
            key = (wish.image, request, model.sha256, str(model.device))
        planned = self._kept.get(key) or self._made(wish)
        for sample in self._missing(planned.plan, wish):
            self._keep(key, planned)
            if not goes_on():
                return None
            planned = _with_sample(planned, wish.run, sample)
        self._keep(key, planned)
        self._last = {id(run): (run, of) for run, of in self._last.values() if of in self._kept}
        self._last[id(wish.run)] = (wish.run, key)
        return planned

    def forget(self, image: str) -> None:
        """Drop the plans of an image whose data is gone."""
        for key in [key for key in self._kept.copy() if key[0] == image]:
            self._kept.pop(key, None)

    def _keep(self, key: tuple[Any, ...], planned: Planned) -> None:
        self._kept[key] = planned
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_PLANS:
            self._kept.popitem(last=False)

    def _made(self, wish: LayerWish) -> Planned:
        """Plan for the samples in view, and take that for a plan of everything."""
        run = copy.copy(wish.run)
        run.selection = {a: part for a, part in wish.selection.items() if a in "ST"} or None
        plan, model = run.make_plan(self._models)
        area = {a: part for a, part in plan.region_selection.items() if a not in "ST"}
        whole = replace(plan, region_selection=area)
        batch = resolve_batch_size(run.request.batch_size, model, plan.patch_size)
        whole = whole.with_settings(batch_size=min(batch, whole.total_tiles))
        return Planned(whole, model, f"{wish.image}:{pixels_key(whole, str(model.device))}")

    @staticmethod
    def _missing(plan: PredictionPlan, wish: LayerWish) -> list[int]:
        """Samples in view that have no statistics yet."""
        ranges, layout = plan.normalization, plan.layout
        if ranges.kind != "time_point":
            return []
        chosen = {a: part for a, part in wish.selection.items() if a in "ST"}
        seen = Region.from_selection(layout.output_axes, layout.output_shape, chosen)
        total = layout.base.transformed_shape[0]
        standing = samples_to_look_at(total, base_samples(layout, seen), ranges.kind)
        return [sample for sample in standing if sample not in ranges.samples]


def _with_sample(planned: Planned, run: LayerRun, sample: int) -> Planned:
    """The same with the statistics of another sample (not folded)."""
    plan, request = planned.plan, run.request
    layout = plan.layout
    s, t = divmod(sample, layout.base.original_dim_sizes.get("T", 1))
    at = {letter: [i] for letter, i in (("S", s), ("T", t)) if letter in layout.output_axes}
    area = Region.from_json(
        layout.output_axes, layout.output_shape, {**plan.region_selection, **at}
    )
    seen = look_at(
        run.stack,
        layout,
        area,
        plan.input_channels,
        planned.model,
        request.normalization,
        request.statistics,
        hot_pixels=plan.hot_pixels,
    )
    ranges = with_samples(plan.normalization, seen.normalization)
    return replace(planned, plan=replace(plan, normalization=ranges))
