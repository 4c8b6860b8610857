"""*Try a sample*: the image is made while the window goes on, then opened."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_tessera.widgets import sample_data
from napari_tessera.widgets.worker import Job, start_job

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock

SAMPLE = "noisy_2d"


class SampleOpener(QObject):
    """Opens the sample as napari's own menu would, once its pixels are there.

    Parameters
    ----------
    dock : DenoiseDock
        Has the button, and the viewer that the sample goes into.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._closed = False
        self._job: Job | None = None
        dock.settings.image.sample_wanted.connect(self._make)

    def close(self) -> None:
        """Open nothing any more."""
        self._closed = True

    def _make(self) -> None:
        if self._job is not None or self._closed:
            return
        self._dock.settings.image.set_sample_made(False)
        self._job = Job(partial(getattr(sample_data, SAMPLE)), "making a sample image")
        start_job(self._job, self._on_made, quiet=True)

    def _on_made(self) -> None:
        self._job = None
        if self._closed:
            return
        try:
            # What was made is kept; what could not be made is told of as from the menu.
            self._dock.viewer.open_sample("napari-tessera", SAMPLE)
        finally:
            self._dock.settings.image.set_sample_made(True)
