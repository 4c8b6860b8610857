"""Putting the model and settings of a candidate into the dock's fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_tessera.widgets.adopting import choose

if TYPE_CHECKING:
    from napari_tessera.widgets.fields.settings import Settings
    from napari_tessera.widgets.request import RunRequest


def take_over(settings: Settings, request: RunRequest) -> None:
    """Set the fields to what a candidate was made with; area and saving stay as they are."""
    if request.channel_models != settings.model.of_channels:
        settings.model.channels.reset()
    if isinstance(request.model, str):
        settings.model.value = request.model
    settings.tiles.patch_size = request.patch_size
    settings.tiles.overlaps = request.overlaps
    advanced = settings.advanced
    choose(advanced.joining.joining, request.blending)
    choose(advanced.joining.flips, request.tta)
    advanced.camera.hot_pixels = request.hot_pixels
    advanced.camera.camera_offset = request.camera_offset
    advanced.camera.camera_gain = request.camera_gain
    choose(advanced.intensity.range, request.normalization)
    choose(advanced.intensity.measured, request.statistics)
