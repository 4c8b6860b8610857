"""Which output layer shows what, and what to let go of when a layer goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.output_layer import DENOISED, OutputKind, find_preview
from napari_tessera.widgets.output_store import Store
from napari_tessera.widgets.removed_noise import follow_output

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_tessera.widgets.layer_run import LayerRun
    from napari_tessera.widgets.live_layer import LiveLayer


class Outputs:
    """Remembers the store behind each output layer.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._stores: WeakKeyDictionary[Layer, Store] = WeakKeyDictionary()
        self._still_read: list[Store] = []
        """Temporary ones whose output layer is gone, while other layers read them."""

    def keep(self, layer: Image, store: Store) -> None:
        """Remember what a layer shows; what it showed before is let go of."""
        before = self._stores.get(layer)
        self._stores[layer] = store
        if before is not None and before is not store:
            self._let_go([before])

    def shown(self, run: LayerRun, live: LiveLayer) -> None:
        """Remember the store of a run's layer, now that there is one; its removed noise follows."""
        if live.layer is not None:
            # First: what the removed noise does not read any more can be let go of.
            follow_output(self._viewer, run.source, run.letters, live)
            self.keep(live.layer, live.store)

    def drop(self, run: LayerRun) -> None:
        """Let go of the output of a run whose output layer was removed."""
        layer = None if run.live is None else run.live.layer
        if layer is not None and layer not in self._viewer.layers:
            self.removed(layer)

    def reusable(self, source: Image, kind: OutputKind = DENOISED) -> MemoryStore | None:
        """Store of an earlier preview of a layer, if it is in memory."""
        preview = find_preview(self._viewer, source, kind)
        store = None if preview is None else self._stores.get(preview)
        return store if isinstance(store, MemoryStore) else None

    def removed(self, layer: Layer) -> None:
        """Let go of what a layer showed that was removed; nothing may write to it any more.

        What is in a temporary folder stays as long as other layers read it: removed noise, or
        copies of the layer.
        """
        store = self._stores.pop(layer, None)
        self._let_go([*self._still_read, *([] if store is None else [store])])

    def _let_go(self, stores: Iterable[Store]) -> None:
        for store in stores:
            left = [one for one in self._still_read if one is not store]
            if self._is_read(store):
                left.append(store)
            else:
                store.dispose()
            self._still_read = left

    def _is_read(self, store: Store) -> bool:
        """Whether a layer needs the folder of a store; what is in memory lives while it is read."""
        return (
            isinstance(store, DiskStore)
            and store.is_temporary
            and any(
                store.is_read_by(level)
                for layer in self._viewer.layers
                for level in (layer.data if getattr(layer, "multiscale", False) else [layer.data])
            )
        )
