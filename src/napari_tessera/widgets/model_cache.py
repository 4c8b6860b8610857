"""Models kept between runs."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from napari_tessera.prediction.seams import SeamBook

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

    AnyModel = Model | ChannelModels

Source = str | Path | Callable[..., Any] | Mapping[int, str | Path | Callable[..., Any]]
"""What `load_model` takes: a model, or one for each of several channels."""

KEPT = 3
"""Models kept: enough to go back and forth, few enough for the memory of a GPU."""

MOST_FILES = 1000
"""Files of a package's folder that are looked at: no package has more."""

_OF_FOLDERS = (".yaml", ".yml", ".onnx")
"""Files that may be a part only of a model, and the rest beside them."""


class ModelCache:
    """Loads models, and keeps those used last.

    Thread-safe: a second asker for the same model waits for the first, one for another model waits
    for nobody. A file, or any of a package's, that changed since is loaded again; a module or
    function is the same as long as it is the same object.
    """

    def __init__(self) -> None:
        self.seams = SeamBook()
        """What running the models on images told of seams."""
        self._lock = threading.Lock()
        self._models: OrderedDict[tuple[Any, ...], tuple[Any, AnyModel]] = OrderedDict()
        # Each lives as long as somebody waits for it or loads.
        self._loading: WeakValueDictionary[tuple[Any, ...], _Turn] = WeakValueDictionary()

    def get(self, source: Source, device: str, precision: str) -> AnyModel:
        """Give a model.

        Raises
        ------
        ModelError
            If it cannot be loaded.
        """
        from napari_tessera.models import load_model

        key = (*_identity(source), device, precision)
        with self._lock:
            turn = self._loading.setdefault(key, _Turn())
        with turn.lock:
            with self._lock:
                if key in self._models:
                    self._models.move_to_end(key)
                    return self._models[key][1]
            model = load_model(source, device=device, precision=precision)
            with self._lock:
                # The source is kept too, so that its id stays its own.
                self._models[key] = (source, model)
                while len(self._models) > KEPT:
                    self._models.popitem(last=False)
            return model


class _Turn:
    """Whose turn it is to load a model."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def _identity(source: Source) -> tuple[Any, ...]:
    if isinstance(source, Mapping):
        return tuple((channel, *_identity(of)) for channel, of in sorted(source.items()))
    if not isinstance(source, (str, Path)):
        return ("object", id(source))
    path = Path(source)
    if path.is_dir():
        files = _files(path)
    elif path.suffix.lower() in _OF_FOLDERS and path.is_file():
        files = _files(path.parent)
    else:
        files = iter((path,))
    seen = []
    for file in islice(files, MOST_FILES):
        try:
            status = file.stat()
        except OSError:
            continue
        seen.append((str(file), status.st_mtime_ns, status.st_size))
    return (str(source), *sorted(seen))


def _files(folder: Path) -> Iterator[Path]:
    """Files of a package's folder, nearest first; images that are folders are not looked into."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.endswith(".zarr"))
        yield from (Path(place, name) for name in sorted(names))
