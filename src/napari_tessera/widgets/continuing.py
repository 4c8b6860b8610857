"""Going on in the dock with a run that is in a store, from wherever somebody met it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_tessera.widgets.adopting import adopt
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.docking import opened_dock
from napari_tessera.writing.stored.stored_run import read_unfinished

if TYPE_CHECKING:
    import napari.viewer


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
    docked, dock = opened_dock(viewer, "Denoise", DenoiseDock)
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
