"""Setting the dock's fields to settings that came out of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_tessera.widgets.adopting import adopt_all_but_area, adopt_area, choose
from napari_tessera.widgets.fields.layer_facts import guessed_axes, shape_of
from napari_tessera.widgets.fields.model_chooser import NO_MODEL
from napari_tessera.widgets.fields.run_on import HERE
from napari_tessera.widgets.request import SLICE, VIEW

if TYPE_CHECKING:
    from napari_tessera.widgets.fields.image import ImageField
    from napari_tessera.widgets.fields.model import ModelField
    from napari_tessera.widgets.fields.run_on import RunOnFields
    from napari_tessera.widgets.fields.settings import Settings
    from napari_tessera.widgets.remembered.settings_file import FoundModels, StoredSettings


def take_over(settings: Settings, stored: StoredSettings, found: FoundModels) -> list[str]:
    """Set the fields to stored settings, as far as image and machine allow.

    Parameters
    ----------
    settings : Settings
        The dock's fields.
    stored : StoredSettings
        The settings.
    found : FoundModels
        Their models on this machine.

    Returns
    -------
    list of str
        What could not be taken, one line each.
    """
    deciding = stored.plan["fingerprint_of"]
    lines = [*found.lines]
    if found.model:
        settings.model.value = found.model
    if found.channel_models:
        lines += _take_channels(settings.model, found.channel_models)
    lines += _take_axes(settings.image, deciding["input_axes"], tuple(deciding["input_shape"]))
    adopt_all_but_area(settings, stored.plan)
    lines += _take_cluster(settings.advanced.run_on, stored.cluster)
    area = settings.area
    # what is on display has the channel on display, which nobody chose
    is_all = stored.area not in (VIEW, SLICE) and adopt_area(settings, stored.plan)
    if stored.area and not choose(area.chooser, stored.area):
        lines.append(f"the area {stored.area} cannot be chosen here: it is {area.value}")
    elif not stored.area and not is_all and deciding.get("region_selection"):
        lines.append(f"the area was a part of that image: it is {area.value} here")
    return lines


def _take_cluster(field: RunOnFields, address: str) -> list[str]:
    """Choose the scheduler of a file where it is chosen here already; else only offer it.

    Whoever connects to a scheduler lets it run programs: a file that comes from somebody else must
    not do that by being loaded.
    """
    if not address:
        field.chooser.value = HERE
        return []
    if str(field.address.value).strip() == address:
        field.value = address
        return []
    field.offer(address)
    return [
        f"the run was one on a cluster: if you know the scheduler {address}, choose it under Run on"
    ]


def _take_channels(field: ModelField, models: tuple[tuple[int, str], ...]) -> list[str]:
    channels = field.channels
    channels.box.value = True
    n_channels = len(channels.choosers)
    last = max(channel for channel, _ in models)
    if not channels.are_wanted or last >= n_channels:
        channels.box.value = False
        return [f"models of channels were left out: this image has no channel {last}"]
    chosen = dict(models)
    for channel, chooser in enumerate(channels.choosers):
        chooser.choose(chosen.get(channel, NO_MODEL))
    channels.changed.emit()
    return []


def _take_axes(image: ImageField, axes: str, shape: tuple[int, ...]) -> list[str]:
    """Tell the axes of an image that does not say them itself, where its shape is the same."""
    for layer in image.layers:
        ours = image.axes or guessed_axes(layer)
        if ours == axes:
            continue
        if image.axes_uncertain and shape_of(layer) == shape:
            image.axes = axes
            return []
        return [f"the settings are for an image with the axes {axes}, {layer.name} has {ours}"]
    return []
