"""What is attached to the dock: each feature wires itself up, and lets go by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from napari_tessera.widgets.compare.on_canvas import CanvasComparison
from napari_tessera.widgets.compare.side_by_side.part import CompareModels
from napari_tessera.widgets.fields.first_steps import FirstSteps
from napari_tessera.widgets.files.part import FilesPart
from napari_tessera.widgets.keys import FeatureKeys
from napari_tessera.widgets.notify import RunNotifier
from napari_tessera.widgets.preview.live import LivePreview
from napari_tessera.widgets.queue_part import QueuePart
from napari_tessera.widgets.remembered.files import SettingsFiles
from napari_tessera.widgets.remembered.last_run import LastRun
from napari_tessera.widgets.sample_opener import SampleOpener
from napari_tessera.widgets.tab_order import TabOrder
from napari_tessera.widgets.training.entry import TrainingEntry
from napari_tessera.widgets.try_tile.tool import TryTile
from napari_tessera.widgets.tuning.part import TuneTiles

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock


class Part(Protocol):
    """A feature of the dock.

    It is made with the dock: it connects itself to signals of the dock's ``controller``,
    ``settings`` and ``viewer``, and puts its widgets into the slots that fields offer.
    """

    def close(self) -> None:
        """Let go of the viewer: threads, callbacks, layers, keys. May be called twice."""
        ...


def parts_of(dock: DenoiseDock) -> tuple[Part, ...]:
    """All features of a dock."""
    files = FilesPart(dock)
    return (
        files,
        RunNotifier(dock, files),
        LastRun(dock),
        SettingsFiles(dock),
        FeatureKeys(dock),
        FirstSteps(dock),
        SampleOpener(dock, dock.settings.image, dock.viewer),
        QueuePart(dock),
        CanvasComparison(dock),
        CompareModels(dock),
        LivePreview(dock),
        TryTile(dock),
        TuneTiles(dock),
        TrainingEntry(dock),
        TabOrder(dock),
    )
