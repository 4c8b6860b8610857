"""Going on in the dock with a run that is in a store, from wherever somebody met it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.sizes import AUTO
from napari_tessera.widgets.request import EVERYTHING
from napari_tessera.writing.stored.stored_run import read_unfinished

if TYPE_CHECKING:
    import napari.viewer

    from napari_tessera.widgets.fields.settings import Settings


def continue_run(viewer: napari.viewer.Viewer, path: str | Path) -> DenoiseDock:
    """Open the dock with Save → To at a store, its run's settings, and Resume chosen.

    What cannot be set (another image, a model that is elsewhere) the dock tells beside the field.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    path : str or Path
        A store with an unfinished run.

    Returns
    -------
    DenoiseDock
        The dock.
    """
    docked, dock = viewer.window.add_plugin_dock_widget("napari-tessera", "Denoise")
    assert isinstance(dock, DenoiseDock)
    docked.show()
    docked.raise_()
    stored = read_unfinished(path)
    if stored is not None:
        adopt(dock.settings, stored.plan)
    dock.settings.save.go_on_with(Path(path))
    dock.settings.save.set_open(True)
    dock.column.ensureWidgetVisible(dock.settings.save)
    return dock


def adopt(settings: Settings, plan: Mapping[str, Any]) -> None:
    """Set the fields to what a stored plan was made with, as far as they can say it."""
    deciding = plan.get("fingerprint_of", {})
    if not deciding.get("region_selection"):
        settings.area.value = EVERYTHING
    if sizes := deciding.get("patch_size"):
        settings.tiles.patch_size = tuple(sizes)
    if overlaps := deciding.get("overlaps"):
        settings.tiles.overlaps = tuple(overlaps)
    settings.save.same_dtype = deciding.get("output_dtype", "float32") != "float32"
    advanced = settings.advanced
    _choose(advanced.joining.joining, deciding.get("blending"))
    _choose(advanced.joining.flips, deciding.get("tta"))
    _choose(advanced.precision, deciding.get("precision"))
    measured = deciding.get("normalization", {})
    # A range of the model's own choice is another one than the same kind asked for by name.
    own = measured.get("own_numbers") and measured.get("kind") != "none"
    _choose(advanced.intensity.range, AUTO if own else measured.get("kind"))
    _choose(advanced.intensity.measured, measured.get("measured"))


def _choose(chooser: Any, value: object) -> None:
    """Choose a value where a chooser has it."""
    if value in chooser.choices:
        chooser.value = value
