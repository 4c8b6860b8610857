"""What is done to the grey levels of each sample and channel, with all of its numbers."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from napari_tessera.models.processing import Resolved, SampleStatistics
from napari_tessera.prediction.camera import Camera, gives_levels
from napari_tessera.prediction.plan import PlanError, PredictionPlan, first_sample

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model


KEPT = 64
"""Samples and channels whose numbers are kept at hand."""


class IntensityRanges:
    """A plan's statistics put into a model's processing. Safe to use from several threads.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    model : Model or ChannelModels
        What it was made for.
    """

    def __init__(self, plan: PredictionPlan, model: Model | ChannelModels) -> None:
        self._plan = plan
        self._model = model
        # Tiles of one sample come together; all samples of a long series would be many.
        self._known = lru_cache(KEPT)(self._resolve)

    def of(self, sample: int, channel: int | None) -> tuple[SampleStatistics, Resolved]:
        """Statistics and processing of a sample (not folded).

        Parameters
        ----------
        sample : int
            Sample of the unfolded image.
        channel : int or None
            The channel that goes to the model by itself; None where all go together.

        Raises
        ------
        ValueError
            If a number is not known, does not go with the channels, or divides by 0.
        """
        ranges = self._plan.normalization
        first = ranges.samples[ranges.row(sample)] if ranges.samples else 0
        return self._known(first, channel)

    def _resolve(self, sample: int, channel: int | None) -> tuple[SampleStatistics, Resolved]:
        plan = self._plan
        statistics = plan.normalization.of_sample(sample, channel)
        given = next(iter(statistics.values.values())).size
        made = 1 if channel is not None else plan.output_channels or 1
        processing = plan.normalization.processing_of(self._model.for_channel(channel or 0))
        camera = Camera.of_numbers(plan.camera_offset, plan.camera_gain)
        seen = statistics if camera is None else camera.electrons(statistics)
        with np.errstate(all="ignore"):
            resolved = processing.resolve(seen, given, made)
            if camera is not None:
                resolved = camera.around(resolved, restores=gives_levels(processing))
        numbers = (resolved.subtract, resolved.divide, resolved.multiply, resolved.add)
        if not all(np.isfinite(values).all() for values in numbers):
            raise ValueError(
                f"sample {sample} has grey levels all alike, which the model divides by their "
                "spread"
            )
        return statistics, resolved

    def check(self) -> None:
        """Raise PlanError unless all that is needed is known, for every channel.

        What is known is known of every sample.
        """
        plan = self._plan
        channels: list[int | None] = [None]
        if plan.layout.fold.endswith("C"):
            channels = [int(c) for c in plan.region.along("C")]
        sample = first_sample(plan.layout, plan.region)
        for channel in channels:
            self._check_whole(self._model.for_channel(channel or 0))
            try:
                self.of(sample, channel)
            except ValueError as error:
                raise PlanError(
                    f"the intensity range of the model {self._model.name} cannot be had of "
                    f"this image: {error}; use normalization='none', and bring the image into "
                    "that range yourself",
                    "normalization",
                ) from None

    def _check_whole(self, model: Model) -> None:
        """Raise PlanError where a step needs a prediction that several tiles make up."""
        plan = self._plan
        processing = plan.normalization.processing_of(model)
        planes = plan.layout.base.original_dim_sizes.get("Z", 1) if "Z" in plan.layout.fold else 1
        if not processing.needs_whole_output or prod(plan.patching.grid_shape(0)) * planes == 1:
            return
        if planes > 1:
            way_out = "predict planes one by one, or use normalization='none'"
        else:
            sizes = zip(plan.layout.spatial_axes, plan.layout.view_shape[2:], strict=True)
            tile = " ".join(f"{letter} {size}" for letter, size in sizes)
            way_out = f"use tiles of at least {tile}, or normalization='none'"
        raise PlanError(
            f"the model {model.name} brings its output into a range by the statistics of all of "
            f"that output, which no tile has: {way_out}",
            "normalization" if planes > 1 else "patch_size",
        )
