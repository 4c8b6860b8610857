"""What a person sees of a layer, whose tiles are denoised first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_tessera.prediction import PlanError, Schedule
from napari_tessera.prediction.order import visible_first
from napari_tessera.widgets.view_region import ViewSelection, view_center, visible_selection

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


@dataclass(frozen=True)
class LookedAt:
    """What is on display of an image, and where its middle is.

    Parameters
    ----------
    selection : mapping or None
        Axis letter to what is on display; None where nothing of the image is in view.
    position : mapping
        Axis letter to index, inside the image.
    """

    selection: ViewSelection | None
    position: Mapping[str, float]

    @classmethod
    def of(cls, viewer: ViewerModel, layer: Layer, letters: str) -> LookedAt:
        """Read off the viewer what it shows of a layer; takes no longer for many tiles."""
        position = view_center(viewer, layer, letters)
        try:
            return cls(visible_selection(viewer, layer, letters), position)
        except PlanError:
            return cls(None, position)

    def put_first(self, schedule: Schedule) -> None:
        """Let the tiles that are seen come first, those nearest to the middle before others.

        Where nothing that the schedule has is seen, its order stays as it is.
        """
        if self.selection is not None:
            first = visible_first(schedule.tiles, self.selection, self.position)
            if len(first):
                schedule.reorder(first)
