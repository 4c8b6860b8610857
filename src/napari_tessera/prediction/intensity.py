"""What is done to the grey levels of each sample and channel, with all of its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_tessera.models.processing import Resolved, SampleStatistics, UnknownStatisticError
from napari_tessera.prediction.plan import PlanError, PredictionPlan, base_samples

if TYPE_CHECKING:
    from napari_tessera.models import Model


class IntensityRanges:
    """A plan's statistics put into a model's processing. Safe to use from several threads.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    model : Model
        The model that it was made for.
    """

    def __init__(self, plan: PredictionPlan, model: Model) -> None:
        self._plan = plan
        self._model = model
        # Two threads may resolve the same at once; they come to the same.
        self._known: dict[tuple[int, int | None], tuple[SampleStatistics, Resolved]] = {}

    def of(self, sample: int, channel: int | None) -> tuple[SampleStatistics, Resolved]:
        """Statistics and processing of a sample (not folded).

        Parameters
        ----------
        sample : int
            Sample of the unfolded image.
        channel : int or None
            The channel that goes to the model by itself; None where all go together.
        """
        key = (self._plan.normalization.row(sample), channel)
        if key not in self._known:
            self._known[key] = self._resolve(sample, channel)
        return self._known[key]

    def check(self) -> None:
        """Raise PlanError unless all that is needed is known, for every sample and channel."""
        plan = self._plan
        channels: list[int | None] = [None]
        if plan.layout.fold.endswith("C"):
            channels = [int(c) for c in plan.region.along("C")]
        samples = {plan.normalization.row(s): s for s in base_samples(plan.layout, plan.region)}
        for channel in channels:
            for sample in samples.values():
                try:
                    self.of(sample, channel)
                except (UnknownStatisticError, ValueError) as error:
                    raise PlanError(
                        f"the intensity range of the model {self._model.name} cannot be taken "
                        f"from this image: {error}; use normalization='none', or prepare the "
                        "image yourself",
                        "normalization",
                    ) from None

    def _resolve(self, sample: int, channel: int | None) -> tuple[SampleStatistics, Resolved]:
        plan = self._plan
        statistics = plan.normalization.of_sample(sample, channel)
        given = next(iter(statistics.values.values())).size
        made = 1 if channel is not None else plan.output_channels or 1
        model = self._model.for_channel(channel or 0)
        processing = plan.normalization.processing_of(model)
        return statistics, processing.resolve(statistics, given, made)
