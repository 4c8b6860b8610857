"""Taking over the settings of a run that is in a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_tessera.widgets.fields.sizes import AUTO
from napari_tessera.widgets.request import EVERYTHING
from napari_tessera.widgets.stored_part import channels_of, is_all_but_channels

if TYPE_CHECKING:
    from napari_tessera.widgets.fields.settings import Settings


def adopt(settings: Settings, plan: Mapping[str, Any]) -> None:
    """Set the fields to what a stored plan was made with, as far as they can say it."""
    adopt_area(settings, plan)
    adopt_all_but_area(settings, plan)


def adopt_area(settings: Settings, plan: Mapping[str, Any]) -> bool:
    """Set area and channels to those of a stored plan of everything, or of some whole channels.

    Gives whether it is one. Another area may be a part that somebody looked at, or drew.
    """
    deciding = plan.get("fingerprint_of", {})
    channels = channels_of(deciding)
    if channels == tuple(channel for channel, _ in settings.model.of_channels):
        # each has a model of its own, and that is why the others are left out
        channels = None
    if not is_all_but_channels(deciding) or not settings.area.channels_row.choose(channels):
        return False
    settings.area.value = EVERYTHING
    return True


def adopt_all_but_area(settings: Settings, plan: Mapping[str, Any]) -> None:
    """Set the other fields to what a stored plan was made with."""
    deciding = plan.get("fingerprint_of", {})
    if sizes := deciding.get("patch_size"):
        settings.tiles.patch_size = tuple(sizes)
    if overlaps := deciding.get("overlaps"):
        settings.tiles.overlaps = tuple(overlaps)
    settings.save.same_dtype = deciding.get("output_dtype", "float32") != "float32"
    advanced = settings.advanced
    choose(advanced.joining.joining, deciding.get("blending"))
    choose(advanced.joining.flips, deciding.get("tta"))
    advanced.camera.hot_pixels = "replace" if deciding.get("hot_pixels") else "keep"
    advanced.camera.camera_offset = deciding.get("camera_offset")
    advanced.camera.camera_gain = deciding.get("camera_gain")
    choose(advanced.precision, deciding.get("precision"))
    measured = deciding.get("normalization", {})
    # A range of the model's own choice is another one than the same kind asked for by name.
    own = measured.get("own_numbers") and measured.get("kind") != "none"
    choose(advanced.intensity.range, AUTO if own else measured.get("kind"))
    choose(advanced.intensity.measured, measured.get("measured"))


def choose(chooser: Any, value: object) -> bool:
    """Choose a value where a chooser has it; gives whether it has."""
    if value not in chooser.choices:
        return False
    chooser.value = value
    return True
