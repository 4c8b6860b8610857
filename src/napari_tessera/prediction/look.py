"""Which intensity range a model is to work in, and what has to be measured for it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_tessera.layout import Layout
from napari_tessera.models.processing import MEAN, STD, Statistic
from napari_tessera.prediction.advice import range_warnings
from napari_tessera.prediction.camera import Camera
from napari_tessera.prediction.cleaned_stack import cleaned
from napari_tessera.prediction.exact_statistics import measure_exactly
from napari_tessera.prediction.hot_pixels import HotPixels
from napari_tessera.prediction.normalization import KINDS, processing_of
from napari_tessera.prediction.plan import PlanError, base_samples, check_choice
from napari_tessera.prediction.statistics import Subsample, measure
from napari_tessera.region import Region
from napari_tessera.stacks import ImageStack

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model


def look_at(
    image: ImageStack,
    layout: Layout,
    area: Region,
    channels: tuple[int, ...] | None,
    model: Model | ChannelModels,
    normalization: str,
    statistics: str,
    *,
    hot_pixels: HotPixels | None = None,
    camera: Camera | None = None,
) -> Subsample:
    """Look at the image: what the model needs of it, and what people should know.

    Parameters
    ----------
    image : ImageStack
        The image, nothing folded.
    layout, area : Layout, Region
        What is folded, and the part of the output that is wanted.
    channels : tuple of int or None
        Channels that go to the model together; None for all.
    model : Model or ChannelModels
        The model.
    normalization, statistics : str
        As `plan_prediction`.
    hot_pixels : HotPixels or None
        How outliers are told that are replaced before anything is measured; None: they are kept.
    camera : Camera or None
        What grey levels are made of; what is measured stays in grey levels.

    Raises
    ------
    PlanError
        If a setting is none of its choices, or does not go with the model.
    """
    apart = layout.fold.endswith("C")
    parts = {int(c): model.for_channel(int(c)) for c in (area.along("C") if apart else (0,))}
    models = list(dict.fromkeys(parts.values()))
    kind, own_numbers = _choice(normalization, models)
    needs: set[Statistic] = set()
    for one in models:
        needs |= processing_of(one, kind, own_numbers).needs
    compared: set[Statistic] = set()
    if kind == "model":
        for one in models:
            compared |= _compared(one)
    wanted = (MEAN, STD, *sorted((needs | compared) - {MEAN, STD}))
    samples = base_samples(layout, area)
    image = cleaned(image, hot_pixels)
    look = measure(image, samples, channels, kind, wanted, apart=apart)
    ranges = look.normalization
    if statistics == "exact" and needs:
        ranges = measure_exactly(image, samples, channels, kind, wanted, apart=apart)
    warnings: list[str] = []
    if kind == "model" and look.nonfinite < look.pixels:
        several = layout.base.transformed_shape[1] > 1
        for channel, one in parts.items():
            seen = ranges.of_sample(samples[0], channel if apart else None)
            if camera is not None:
                seen = camera.electrons(seen)
            # numbers that do not go with the channels are an error of the plan, said there
            with suppress(ValueError):
                warnings += range_warnings(one, seen, channel if apart and several else None)
    return replace(
        look,
        normalization=replace(ranges, own_numbers=own_numbers),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _compared(model: Model) -> frozenset[Statistic]:
    """What a model's first numbers are compared with, so that people can be told."""
    before = model.processing.before if model.processing else ()
    return before[0].measured().needs if before else frozenset()


def _choice(wanted: str, models: list[Model]) -> tuple[str, bool]:
    """Kind of normalization, and whether the models' own numbers are kept."""
    check_choice(wanted, ("auto", *KINDS), "normalization", "normalization")
    if wanted == "auto":
        kinds = {_automatic(model) for model in models}
        # where each channel has a model of its own, those that need nothing of the image get it too
        return next(
            kind for kind in ("time_point", "series", "model", "none") if kind in kinds
        ), True
    if wanted == "model":
        for model in models:
            if model.processing is None or model.processing.needs:
                raise PlanError(
                    f"the model {model.name} has no intensity range of its own: use "
                    "normalization='auto', time_point or series",
                    "normalization",
                )
    return wanted, wanted == "model"


def _automatic(model: Model) -> str:
    if model.processing is None:
        return model.default_normalization
    return model.processing.scope if model.processing.needs else "model"
