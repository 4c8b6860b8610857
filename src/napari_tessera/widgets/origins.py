"""Files that layers are read from, looked for once and off the GUI thread."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari_tessera.stacks import read_origins

if TYPE_CHECKING:
    from napari.layers import Image

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
        with self._lock:
            if self._found is None:
                self._found = read_origins(stack)
            return self._found


class OriginBook:
    """Remembers what layers are read from, as long as they show the same data.

    Belongs to the GUI thread; nothing is looked for before an `Origins` is asked.
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Image, tuple[Callable[[], Any], Origins]] = (
            WeakKeyDictionary()
        )

    def of(self, layer: Image) -> Origins:
        """What the data that a layer shows now is read from."""
        data = layer.data
        known = self._known.get(layer)
        if known is None or known[0]() is not data:
            known = self._known[layer] = (_reference(data), Origins())
        return known[1]


def _reference(data: Any) -> Callable[[], Any]:
    """A way to the data that does not keep it alive, where there is one."""
    try:
        return weakref.ref(data)
    except TypeError:
        return lambda: data
