"""Models kept between runs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

    AnyModel = Model | ChannelModels

Source = str | Path | Callable[..., Any] | Mapping[int, str | Path | Callable[..., Any]]
"""What `load_model` takes: a model, or one for each of several channels."""

KEPT = 3
"""Models kept: enough to go back and forth, few enough for the memory of a GPU."""


class ModelCache:
    """Loads models, and keeps those used last. Thread-safe; a second asker waits for the first.

    A file that changed since is loaded again; a module or function is the same as long as it is
    the same object.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: OrderedDict[tuple[Any, ...], tuple[Any, AnyModel]] = OrderedDict()

    def get(self, source: Source, device: str, precision: str) -> AnyModel:
        """Give a model.

        Raises
        ------
        ModelError
            If it cannot be loaded.
        """
        from napari_tessera.models import load_model

        with self._lock:
            key = (*_identity(source), device, precision)
            if key in self._models:
                self._models.move_to_end(key)
                return self._models[key][1]
            model = load_model(source, device=device, precision=precision)
            # The source is kept too, so that its id stays its own.
            self._models[key] = (source, model)
            while len(self._models) > KEPT:
                self._models.popitem(last=False)
            return model


def _identity(source: Source) -> tuple[Any, ...]:
    if isinstance(source, Mapping):
        return tuple((channel, *_identity(of)) for channel, of in sorted(source.items()))
    if not isinstance(source, (str, Path)):
        return ("object", id(source))
    path = Path(source)
    try:
        status = path.stat()
    except OSError:
        return (str(source),)
    return (str(path), status.st_mtime_ns, status.st_size)
