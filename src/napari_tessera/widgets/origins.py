"""Files that layers are read from, looked for once and off the GUI thread."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Labels

from napari_tessera.stacks import read_origins
from napari_tessera.stacks.origins import find_origins

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_tessera.stacks import ImageStack


class Origins:
    """What one layer's data is read from. Thread-safe; a second asker waits for the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: tuple[Path, ...] | None = None

    def of(self, stack: ImageStack) -> tuple[Path, ...]:
        """Local files and folders that the layer's image reads from.

        Takes up to seconds the first time, where the data is a large graph of delayed reads.

        Parameters
        ----------
        stack : ImageStack
            The image, looked through the first time only.
        """
        return self._once(read_origins, stack)

    def of_data(self, data: Any) -> tuple[Path, ...]:
        """The same, of the layer's data as it is."""
        return self._once(find_origins, data)

    def _once(self, find: Callable[[Any], tuple[Path, ...]], source: Any) -> tuple[Path, ...]:
        with self._lock:
            if self._found is None:
                self._found = find(source)
            return self._found


@dataclass(frozen=True)
class OpenLayer:
    """A layer that is open beside what is denoised. It and its data are not kept alive.

    Parameters
    ----------
    name : str
        Its name.
    layer : callable
        Gives the layer; None where it is gone.
    origins : Origins
        What its data is read from.
    """

    name: str
    layer: Callable[[], Any]
    origins: Origins

    def reads(self) -> tuple[Path, ...]:
        """Local files and folders that it shows. Takes time: not for the GUI thread."""
        layer = self.layer()
        if layer is None:
            return ()
        # napari's own list of levels is not looked into: it leads to all that napari knows.
        return self.origins.of_data(list(layer.data) if layer.multiscale else layer.data)


class OriginBook:
    """Remembers what layers are read from, as long as they show the same data.

    Belongs to the GUI thread; nothing is looked for before an `Origins` is asked.
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Layer, tuple[Callable[[], Any], Origins]] = (
            WeakKeyDictionary()
        )

    def of(self, layer: Layer) -> Origins:
        """What the data that a layer shows now is read from."""
        data = layer.data
        known = self._known.get(layer)
        if known is None or known[0]() is not data:
            known = self._known[layer] = (reference(data), Origins())
        return known[1]

    def all_of(self, layers: Iterable[Layer]) -> tuple[OpenLayer, ...]:
        """Layers of pixels, to be asked what they show; others hold their data in memory."""
        return tuple(
            OpenLayer(layer.name, weakref.ref(layer), self.of(layer))
            for layer in layers
            if isinstance(layer, Image | Labels)
        )


def reference(data: Any) -> Callable[[], Any]:
    """A way to the data that does not keep it alive, where there is one."""
    try:
        return weakref.ref(data)
    except TypeError:
        return lambda: data
