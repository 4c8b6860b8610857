"""The output layer of a run, which fills while tiles are predicted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.disk_view import display_axes
from napari_tessera.widgets.fields.layer_facts import pixels_of
from napari_tessera.widgets.flip_disagreement import FittedLimits, kind_of
from napari_tessera.widgets.output_layer import (
    DENOISED,
    INPUT_KEY,
    PLAN_KEY,
    PREVIEW_KEY,
    OutputKind,
    add_output_layer,
    appearance,
    find_preview,
    output_name,
    placement,
    replace_layer,
)
from napari_tessera.widgets.output_store import Store
from napari_tessera.widgets.removed_noise import renew_smallest
from napari_tessera.widgets.view_region import slice_on_display

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_tessera.widgets.layer_run import LayerRun

FASTEST = 0.1
"""Least seconds between two refreshes in 2D display."""

FASTEST_3D = 1.0
"""Least seconds between two refreshes in 3D display."""

LOOK = 0.1
"""Seconds between two calls of `LiveLayer.tick`: what comes later was kept waiting by painting."""

UPLOAD_SPEED = 1.6e9
"""Bytes a second at which software OpenGL paints a large slice; a GPU is faster."""

UPLOAD_SHARE = 0.2
"""Share of the GUI thread's time that refreshes may take."""


class LiveLayer:
    """Keeps the layer of an output up to date while its store is written to.

    The engine's threads write into the store and know nothing of the layer. This object belongs
    to the GUI thread: it is told which tiles are finished, and refreshes the layer at most ten
    times a second, and only where one of them shows in the slice on display.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    source : napari.layers.Image
        The input layer.
    letters : str
        Letters of its dimensions.
    store : MemoryStore or DiskStore
        Where the output is.
    preview : napari.layers.Image, optional
        Output layer of an earlier preview, to be used again.
    shown : callable, optional
        Called with this object as soon as there is a layer; for an output on disk that is when
        the engine has made the array.
    part : bool, default False
        Whether only a part of the image was asked for: the next run then reuses the layer.
    kind : OutputKind
        What sort of quantity the output is. One that is no grey level gets its contrast limits
        from its own values.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        source: Image,
        letters: str,
        store: Store,
        preview: Image | None = None,
        shown: Callable[[LiveLayer], None] | None = None,
        *,
        part: bool = False,
        kind: OutputKind = DENOISED,
    ) -> None:
        self._viewer = viewer
        self._shown = shown
        self._source = source
        self._letters = letters
        self.store = store
        self.layer: Image | None = None
        """The output layer; None before there is something to show."""
        self.companions: list[Image] = []
        """Layers computed from the output, refreshed with it."""
        self._given: object = None
        """What the layer was given to show."""
        self._preview = preview
        self._part = part
        self._kind = kind
        self._limits = None if kind.look is None else FittedLimits()
        self._finished: deque[int] = deque()
        self._news = False
        self._last = 0.0
        self._refreshed = False
        self._pause = 0.0
        self.show()

    @property
    def axes(self) -> str:
        """Letters of the output layer's dimensions."""
        rgb = self.store.colours is not None
        order = display_axes(self.store.plan, self._letters, rgb)
        return order[:-1] if rgb else order

    def show(self) -> None:
        """Make the layer, if it is not there and the store has something to show."""
        if self.layer is not None or not self.store.ready:
            return
        reused = self._preview
        if reused is not None and reused in self._viewer.layers and self._fits(reused):
            self.layer = self._use(reused)
        else:
            rgb = self.store.colours is not None
            self.layer = add_output_layer(
                self._viewer,
                self._source,
                self.store.data(),
                output_name(self._source, self._kind),
                placement(self._source, self._letters, self.axes, self.store.held),
                {
                    **appearance(self._viewer, self._source, rgb),
                    **(self._kind.look or {}),
                    "metadata": self._says(),
                },
                rgb=rgb,
            )
        self._preview = None
        self._given = pixels_of(self.layer)
        if self._shown is not None:
            self._shown(self)

    def _give_up_what_shows_else(self) -> None:
        """Leave a layer that was given other data to whoever did so; the output gets its own."""
        if self.layer is not None and pixels_of(self.layer) is not self._given:
            self.layer.metadata.pop(PLAN_KEY, None)
            self.layer, self.companions = None, []

    def _says(self) -> dict[str, Any]:
        """What the metadata say, from the start: an output is never taken for an input."""
        return {
            PLAN_KEY: self.store.plan.to_json(),
            INPUT_KEY: self._source.unique_id,
            PREVIEW_KEY: self._part,
            **self._kind.says,
        }

    def _fits(self, layer: Image) -> bool:
        """Whether this output can be shown in the place of an earlier preview's layer."""
        same_kind = bool(layer.rgb) == (self.store.colours is not None)
        return same_kind and int(layer.ndim) == len(self.axes)

    def _use(self, layer: Image) -> Image:
        """Make an earlier preview's layer show this output, at its place."""
        data = self.store.data()
        place = placement(self._source, self._letters, self.axes, self.store.held)
        if bool(layer.multiscale) != self.store.by_levels:
            return replace_layer(self._viewer, layer, data, place, self._says())
        if not _same_memory(layer.data, data):
            layer.data = data
        for name, value in place.items():
            setattr(layer, name, value)
        layer.metadata.update(self._says())
        layer.refresh(thumbnail=False)
        return layer

    def mark(self, finished: Iterable[int]) -> None:
        """Take note of tiles that were written since."""
        self._finished.extend(finished)

    def mark_news(self) -> None:
        """Take note that something on display can be seen only now."""
        self._news = True

    def tick(self) -> bool:
        """Refresh the layer if it is time to, and something on display is new."""
        self._give_up_what_shows_else()
        self.show()
        if self._refreshed:
            # Only now is the last refresh painted, and what that took is known.
            self._refreshed = False
            painting = max(0.0, time.monotonic() - self._last - LOOK)
            self._pause = painting / UPLOAD_SHARE
        if self.layer is None or not (self._finished or self._news):
            return False
        now = time.monotonic()
        if now - self._last < max(self._pause, self._interval()):
            return False
        on_display = self._news or self._any_on_display()
        self._news = False
        self._finished.clear()
        if on_display:
            self._refreshed = True
            self._last = now
            self._refresh(thumbnail=False)
        return on_display

    def finish(self) -> None:
        """Show the last tiles, and the thumbnail, now that the run has ended."""
        self._give_up_what_shows_else()
        self.show()
        self._finished.clear()
        if self.layer is None or self.layer not in self._viewer.layers:
            return
        if isinstance(self.store, DiskStore) and self.store.by_levels and not self.store.disposed:
            # The levels on disk are complete now: they take the place of those in memory.
            self.layer.data = self.store.data()
            self._given = pixels_of(self.layer)
            if self._shown is not None:
                self._shown(self)
        self._refresh(thumbnail=True)

    def _refresh(self, *, thumbnail: bool) -> None:
        assert self.layer is not None
        self._fit_limits()
        layers = (self.layer, *self.companions)
        renew_smallest(layer for layer in layers if layer.visible or thumbnail)
        for layer in layers:
            layer.refresh(extent=False, thumbnail=thumbnail, highlight=False)

    def _fit_limits(self) -> None:
        if self._limits is not None and self.layer is not None:
            self._limits.fit(self._viewer, self.layer, self.axes)

    def _interval(self) -> float:
        """Least seconds between refreshes: longer where what is shown is large to upload."""
        assert self.layer is not None
        shown = slice_on_display(self._viewer, self.layer, self.axes).displayed
        n_bytes = self.layer.data.dtype.itemsize
        for start, stop in self._loaded(shown).values():
            n_bytes *= stop - start
        slowest = FASTEST if len(shown) == 2 else FASTEST_3D
        return float(max(slowest, n_bytes / UPLOAD_SPEED / UPLOAD_SHARE))

    def _loaded(self, shown: str) -> dict[str, tuple[int, int]]:
        """From where to where pixels are loaded along the axes on display, in the level's pixels.

        Of a plane shown by levels that is what the canvas can show; else all of it.
        """
        layer = self.layer
        assert layer is not None
        if not layer.multiscale:
            return {a: (0, layer.data.shape[self.axes.index(a)]) for a in shown}
        corners = layer.corner_pixels
        return {
            a: (int(corners[0, d]), int(corners[1, d]) + 1)
            for a, d in ((a, self.axes.index(a)) for a in shown)
        }

    def _any_on_display(self) -> bool:
        """Whether one of the tiles finished since meets what is loaded of the slice on display."""
        layer = self.layer
        assert layer is not None
        on_display = slice_on_display(self._viewer, layer, self.axes)
        plan, held = self.store.plan, self.store.held
        axes = plan.layout.output_axes
        wanted = {axes.index(a): _one(held.along(a)[at]) for a, at in on_display.indices.items()}
        if layer.multiscale and len(on_display.displayed) == 2:
            factors = layer.downsample_factors[layer.data_level]
            for a, (start, stop) in self._loaded(on_display.displayed).items():
                factor, first = factors[self.axes.index(a)], held.along(a)[0]
                wanted[axes.index(a)] = (first + int(start * factor), first + int(stop * factor))
        return any(_meets(plan.tiles.block(tile), wanted) for tile in self._finished)


def _meets(block: Sequence[slice], wanted: Mapping[int, tuple[int, int]]) -> bool:
    """Whether a block has pixels in ranges along some of its axes."""
    return all(
        block[d].start < stop and start < block[d].stop for d, (start, stop) in wanted.items()
    )


def _one(index: int) -> tuple[int, int]:
    return index, index + 1


def live_layer_of(
    viewer: ViewerModel, run: LayerRun, shown: Callable[[LiveLayer], None]
) -> LiveLayer:
    """The live layer of a run that is prepared, in an earlier preview's layer if there is one."""
    assert run.store is not None
    kind = kind_of(run.request)
    return LiveLayer(
        viewer,
        run.source,
        run.letters,
        run.store,
        find_preview(viewer, run.source, kind),
        shown,
        part=run.is_preview,
        kind=kind,
    )


def _same_memory(shown: Any, data: Any) -> bool:
    """Whether a layer shows just these arrays already: the same views of the same memory."""
    if isinstance(data, list):
        return len(shown) == len(data) and all(map(_same_memory, shown, data))
    theirs = getattr(shown, "__array_interface__", None)
    return theirs is not None and theirs == getattr(data, "__array_interface__", None)
