"""*Try a sample*: the image is made while the window goes on, then opened."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_tessera.widgets import sample_data
from napari_tessera.widgets.worker import Job, start_job

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_tessera.widgets.fields.image import ImageField

SAMPLE = "noisy_2d"


class SampleOpener(QObject):
    """Opens the sample as napari's own menu would, once its pixels are there.

    Parameters
    ----------
    parent : QObject
        Owner.
    image : ImageField
        Has the button.
    viewer : napari.viewer.Viewer
        The viewer that the sample goes into.
    """

    def __init__(self, parent: QObject, image: ImageField, viewer: Viewer) -> None:
        super().__init__(parent)
        self._image, self._viewer = image, viewer
        self._closed = False
        self._job: Job | None = None
        image.sample_wanted.connect(self._make)

    def close(self) -> None:
        """Open nothing any more."""
        self._closed = True

    def _make(self) -> None:
        if self._job is not None or self._closed:
            return
        self._image.set_sample_made(False)
        self._job = Job(partial(getattr(sample_data, SAMPLE)), "making a sample image")
        start_job(self._job, self._on_made, quiet=True)

    def _on_made(self) -> None:
        self._job = None
        if self._closed:
            return
        try:
            # What was made is kept; what could not be made is told of as from the menu.
            self._viewer.open_sample("napari-tessera", SAMPLE)
        finally:
            self._image.set_sample_made(True)
