"""The runs of one request, layer after layer."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.cluster.cluster_run import ClusterRun
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.origins import OriginBook

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_tessera.widgets.request import RunRequest


class RunQueue:
    """Runs in their order, and which one it is the turn of.

    Parameters
    ----------
    runs : sequence of LayerRun
        The runs.
    """

    def __init__(self, runs: Sequence[LayerRun] = ()) -> None:
        self._runs = list(runs)
        self._at = 0

    @classmethod
    def of(
        cls, viewer: ViewerModel, request: RunRequest, origins: OriginBook | None = None
    ) -> RunQueue:
        """Read off the viewer what a request asks for.

        Parameters
        ----------
        viewer : napari.components.ViewerModel
            The viewer.
        request : RunRequest
            What is asked for.
        origins : OriginBook, optional
            What is known of where the layers' data is read from.

        Raises
        ------
        PlanError
            If there is no layer, or one of them does not fit.
        """
        if not request.layers:
            raise PlanError("no image is chosen: open or select one", "image")
        book = origins or OriginBook()
        kind = kind_of_run(request)
        return cls([kind.of(viewer, request, layer, book) for layer in request.layers])

    def extend(self, more: RunQueue) -> None:
        """Let other runs follow."""
        self._runs += more._runs

    def makes_the_same_as(self, other: RunQueue) -> bool:
        """Whether other runs, which went through, were asked for the very same."""
        return self.lie_within(other) and all(
            ours.selection == theirs.selection for ours, theirs in zip(self, other, strict=True)
        )

    def lie_within(self, other: RunQueue) -> bool:
        """Whether other runs, which went through, were asked for the same and no smaller area."""
        return len(self) == len(other) and all(
            theirs.result is not None
            and theirs.result.completed
            and ours.request == theirs.request
            and _lies_within(ours.selection, theirs.selection)
            and ours.data is theirs.data
            for ours, theirs in zip(self, other, strict=True)
        )

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[LayerRun]:
        return iter(self._runs)

    @property
    def current(self) -> LayerRun | None:
        """The run whose turn it is; None after the last."""
        return self._runs[self._at] if self._at < len(self._runs) else None

    @property
    def current_has_its_data(self) -> bool:
        """Whether the current run's layer still shows the data that the run began with."""
        return self.current is not None and self.current.has_its_data

    @property
    def number(self) -> int:
        """Which run it is the turn of, counted from 1."""
        return self._at + 1

    @property
    def all_gone(self) -> bool:
        """Whether every run lost its layers."""
        return all(run.gone for run in self._runs)

    def advance(self) -> None:
        """Let it be the next one's turn."""
        self._at += 1

    def take_turn(self, viewer: ViewerModel, origins: OriginBook | None = None) -> list[str]:
        """Let it be the turn of the next run that can be: its layer is there.

        Where a layer that waited shows other data by now, what its run needs is read off the
        viewer again.

        Returns
        -------
        list of str
            Which runs were left out over this, and why.
        """
        told: list[str] = []
        while True:
            self._skip_missing(viewer.layers)
            run = self.current
            if run is None or run.has_its_data or run.began:
                return told
            try:
                kind = kind_of_run(run.request)
                self._runs[self._at] = kind.of(viewer, run.request, run.source, origins)
            except PlanError as error:
                told.append(f"{run.name} was left out: {error}")
                run.gone = True
                self.advance()

    def _skip_missing(self, layers: Container[Layer]) -> None:
        """Pass over runs whose input layer is not there any more."""
        while (run := self.current) is not None and run.source not in layers:
            run.gone = True
            self.advance()

    def output_layers(self, layers: Container[Layer]) -> tuple[Image, ...]:
        """Output layers that are still there."""
        found = (run.live.layer for run in self._runs if run.live is not None)
        return tuple(layer for layer in found if layer is not None and layer in layers)


def kind_of_run(request: RunRequest) -> type[LayerRun]:
    """What a request's runs are: computed on this computer, or by a cluster."""
    return ClusterRun if request.cluster else LayerRun


def _lies_within(
    ours: Mapping[str, slice | int] | None, theirs: Mapping[str, slice | int] | None
) -> bool:
    """Whether an area, slices with both ends or indices by axis, is part of another."""
    if theirs is None or ours is None:
        return theirs is None
    return all(a in ours and _is_part(ours[a], part) for a, part in theirs.items())


def _is_part(ours: slice | int, theirs: slice | int) -> bool:
    (start, stop), (first, last) = (
        (part.start, part.stop) if isinstance(part, slice) else (part, part + 1)
        for part in (ours, theirs)
    )
    return bool(first <= start and stop <= last)
