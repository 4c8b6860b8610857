"""What each image of a preview is, and what of it is looked at."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.preview.plans import LayerWish
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.view_region import (
    check_channels_in_view,
    view_center,
    visible_selection,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image


class PreviewImages:
    """Makes wishes of what is on display. Belongs to the GUI thread.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._numbers = count()
        self._named: dict[Image, tuple[Any, str]] = {}
        self._gone: list[str] = []
        self._runs: dict[Image, tuple[RunRequest, str, LayerRun]] = {}

    def wishes(self, request: RunRequest) -> list[LayerWish]:
        """What is on display of the images of a request, and its settings.

        Raises
        ------
        PlanError
            If the axes do not fit an image, or of no image something is in view that can be
            denoised.
        """
        wishes, problem = [], None
        for layer in request.layers:
            if layer not in self._viewer.layers:
                continue
            run, name = self._run(request, layer)
            try:
                selection = visible_selection(self._viewer, layer, run.letters)
                chosen = [c for c, _ in request.channel_models] or request.channels
                if chosen is not None:
                    check_channels_in_view(selection, chosen)
            except PlanError as error:
                problem = error
                continue
            position = view_center(self._viewer, layer, run.letters)
            wishes.append(LayerWish(run, name, selection, position))
        if not wishes and problem is not None:
            raise problem
        return wishes

    def name(self, layer: Image) -> str:
        """Name of a layer with the data that it has now; another one after that was replaced."""
        data, name = self._named.get(layer, (None, ""))
        if not name or data is not layer.data:
            self._gone += [name] if name else []
            name = f"{layer.unique_id}/{next(self._numbers)}"
            self._named[layer] = (layer.data, name)
        return name

    def renew(self) -> None:
        """Give all images new names: their pixels may have been edited in place."""
        self._gone += [name for _, name in self._named.values()]
        self._named.clear()
        self._runs.clear()

    def outdated(self) -> list[str]:
        """Names of images that are not there any more, or have other data; told once."""
        for layer, (data, name) in list(self._named.items()):
            if layer not in self._viewer.layers or data is not layer.data:
                self._gone.append(name)
                del self._named[layer]
                self._runs.pop(layer, None)
        gone, self._gone = self._gone, []
        return gone

    def _run(self, request: RunRequest, layer: Image) -> tuple[LayerRun, str]:
        """The settings and the image, read off the viewer where one of them has changed."""
        name = self.name(layer)
        anywhere: dict[str, Any] = {"inside": None, "inside_version": 0, "at": None, "save": None}
        whole = replace(request, layers=(layer,), area=EVERYTHING, **anywhere)
        known = self._runs.get(layer)
        if known is not None and known[:2] == (whole, name):
            return known[2], name
        run = LayerRun.of(self._viewer, whole, layer)
        self._runs[layer] = (whole, name, run)
        return run, name
