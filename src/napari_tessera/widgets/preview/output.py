"""The output layer of a live preview."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari_tessera.widgets.output_layer import (
    INPUT_KEY,
    OUTPUT_KEY,
    PLAN_KEY,
    PREVIEW_KEY,
    add_output_layer,
    appearance,
    find_preview,
    output_name,
    placement,
    replace_layer,
)
from napari_tessera.widgets.preview.known import indices_of
from napari_tessera.widgets.preview.picture import Picture, Shown
from napari_tessera.widgets.preview.plans import LayerWish, Planned
from napari_tessera.widgets.preview.tile_cache import TileCache
from napari_tessera.widgets.removed_noise import (
    find_removed_noise,
    follow_output,
    renew_smallest,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_tessera.prediction import PredictionPlan

FASTEST = 0.1
"""Least seconds between two refreshes."""

REFRESH_SHARE = 0.2
"""Share of the GUI thread's time that refreshes may take."""


class PreviewOutput:
    """Shows the tiles of one image that are in the cache, in a layer made like the image's.

    The layer of an earlier preview or of an earlier run over a part is used again. Belongs to the
    GUI thread.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    cache : TileCache
        Has the tiles.
    source : napari.layers.Image
        The input layer.
    """

    def __init__(self, viewer: ViewerModel, cache: TileCache, source: Image) -> None:
        self._viewer = viewer
        self._cache = cache
        self.source = source
        self.layer: Image | None = None
        """The output layer; None before there is a plan."""
        self.companions: list[Image] = []
        """Layers computed from the output, refreshed with it."""
        self._picture: Picture | None = None
        self._data: Any = None
        """What of the input is shown."""
        self._place: dict[str, Any] = {}
        self._name = ""
        self.letters = ""
        """Letters of the input layer's dimensions."""
        self._not_before = 0.0
        self._stale = False

    @property
    def name(self) -> str:
        """Set of the cache that is shown; empty before anything is."""
        return "" if self._picture is None else self._picture.shown.name

    @property
    def axes(self) -> str:
        """Letters of the layer's dimensions."""
        return "" if self._picture is None else self._picture.axes

    @property
    def plan(self) -> PredictionPlan | None:
        """The plan whose tiles are shown; None before there is one."""
        return None if self._picture is None else self._picture.shown.plan

    @property
    def store(self) -> Picture | None:
        """What the layer's data is computed by."""
        return self._picture

    def done(self) -> list[int]:
        """Tiles of the plan that are in the cache."""
        if self._picture is None:
            return []
        shown = self._picture.shown
        return [i for _, i in indices_of(shown.plan.tiles, self._cache.tiles(shown.name))]

    @property
    def shows_else(self) -> bool:
        """Whether somebody has given the layer other data."""
        picture, layer = self._picture, self.layer
        return picture is not None and layer is not None and not picture.is_shown_by(layer)

    def freeze(self) -> None:
        """Show all tiles that have come, and these from now on, whatever the cache lets go of."""
        if self._picture is not None:
            self._picture.freeze()
            self._stale = True
        self.finish()

    def show(self, wish: LayerWish, planned: Planned) -> None:
        """Show the tiles of a plan, whatever was shown before.

        A layer that was given other data is left to whoever did so: there is a new one then.

        Parameters
        ----------
        wish : LayerWish
            Names the image.
        planned : Planned
            Its plan.
        """
        run, shown = wish.run, Shown(planned.plan, planned.name)
        self.letters = run.letters
        colours = run.colours_of(planned.plan)
        left = self._given_up()
        picture = self._picture
        if picture is not None and picture.fits(planned.plan) and picture.colours == colours:
            before, picture.shown = picture.shown.name, shown
            if self.layer is not None and self.layer in self._viewer.layers:
                self._follow_source(run.letters)
                if self._data is not self.source.data:
                    self._data = self.source.data
                    follow_output(self._viewer, self.source, run.letters, self)
                if before != shown.name:
                    self.layer.metadata[PLAN_KEY] = planned.plan.to_json()
                    self._refresh()
                return
        picture = self._picture = Picture(self._cache, shown, run.letters, colours)
        self._data = self.source.data
        self._place = self._placement(run.letters)
        says = {
            PLAN_KEY: planned.plan.to_json(),
            INPUT_KEY: self.source.unique_id,
            PREVIEW_KEY: True,
        }
        rgb = colours is not None
        there = self.layer if self.layer in self._viewer.layers else None
        there = there or find_preview(self._viewer, self.source)
        self._name = output_name(self.source)
        if there is not None and bool(there.rgb) == rgb and int(there.ndim) == len(picture.axes):
            self.layer = self._use(there, says)
            follow_output(self._viewer, self.source, run.letters, self)
            return
        if there is not None:
            # It shows an image that is there no longer, of other axes; so does what it removed.
            for gone in (find_removed_noise(self._viewer, there), there):
                if gone is not None:
                    self._viewer.layers.remove(gone)
            self.companions = []
        look = {**appearance(self._viewer, self.source, rgb), "metadata": says}
        self.layer = add_output_layer(
            self._viewer, self.source, picture.data(), self._name, self._place, look, rgb=rgb
        )
        if left is not None and (noise := find_removed_noise(self._viewer, left)) is not None:
            noise.metadata[OUTPUT_KEY] = self.layer.unique_id
            follow_output(self._viewer, self.source, run.letters, self)

    def _given_up(self) -> Image | None:
        """The layer, where somebody has given it other data; it is ours no longer."""
        if not self.shows_else:
            return None
        left, self.layer, self.companions = self.layer, None, []
        assert left is not None
        for key in (PLAN_KEY, INPUT_KEY, PREVIEW_KEY):
            left.metadata.pop(key, None)
        return left

    def _use(self, layer: Image, says: dict[str, Any]) -> Image:
        """Show the picture in the place of a layer that is there."""
        assert self._picture is not None
        data = self._picture.data()
        if bool(layer.multiscale) != self._picture.by_levels:
            return replace_layer(self._viewer, layer, data, self._place, says)
        layer.data = data
        for name, value in self._place.items():
            setattr(layer, name, value)
        layer.metadata.update(says)
        return layer

    def _placement(self, letters: str) -> dict[str, Any]:
        assert self._picture is not None
        return placement(self.source, letters, self._picture.axes, self._picture.held)

    def _follow_source(self, letters: str) -> None:
        """Move with the input, and be called after it, unless somebody has named it otherwise."""
        assert self.layer is not None
        place = self._placement(letters)
        for name, value in place.items():
            before = self._place.get(name)
            if before is None or (value != before if _plain(value) else (value != before).any()):
                setattr(self.layer, name, value)
        self._place = place
        name = output_name(self.source)
        if name != self._name:
            if self.layer.name == self._name:
                self.layer.name = name
            self._name = name

    def changed(self) -> None:
        """Take note that tiles have come."""
        self._stale = True

    def tick(self) -> None:
        """Show tiles that have come, if it is time to."""
        if self._stale and time.monotonic() >= self._not_before:
            self._refresh()

    def finish(self) -> None:
        """Show all tiles that have come."""
        if self._stale:
            self._refresh(thumbnail=True)

    def _refresh(self, *, thumbnail: bool = False) -> None:
        self._stale = False
        layer, picture = self.layer, self._picture
        if layer is None or picture is None or layer not in self._viewer.layers:
            return
        if self.shows_else:
            return
        began = time.monotonic()
        picture.renew()
        renew_smallest(self.companions)
        for each in (layer, *self.companions):
            each.refresh(extent=False, thumbnail=thumbnail, highlight=False)
        took = time.monotonic() - began
        self._not_before = began + max(FASTEST, took / REFRESH_SHARE)


def _plain(value: Any) -> bool:
    return isinstance(value, tuple)
