"""Which local files and folders the pixels of an image come from, so that none is written over.

What reads lazily keeps somewhere what it reads from: a Zarr store, a file, a path. Arrays that
wrap others (dask, xarray, a napari plugin's own) are looked through for these, as no list of their
kinds would ever be complete.
"""

from __future__ import annotations

import functools
import io
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import zarr
from tifffile import FileHandle
from zarr.abc.store import Store
from zarr.storage import FsspecStore, MemoryStore

from napari_tessera.stacks.opening.location import local_path
from napari_tessera.stacks.protocol import ImageStack
from napari_tessera.stacks.zarr.nodes import node_path, store_path

MOST_OBJECTS = 1_000_000
"""Objects that are looked at, which takes seconds; a graph of 100,000 delayed reads has as many."""

_DEEPEST = 16
_ENDINGS = (".zarr", ".tif", ".tiff")
_NAMES_NOTHING = (
    type(None),
    bool,
    int,
    float,
    complex,
    bytes,
    np.generic,
    np.dtype,
    type,
    ModuleType,
    CodeType,
    BuiltinFunctionType,
    MemoryStore,
    *weakref.ProxyTypes,
)
_LEADS_ASTRAY = frozenset({"asyncio", "concurrent", "logging", "napari", "qtpy", "threading"})
"""Packages whose objects know more of the program than of the pixels."""
_BOOKKEEPING = frozenset(
    {
        "annotations",
        "chunks",
        "collection_annotations",
        "dependencies",
        "key",
        "key_dependencies",
        "_cached_keys",
        "_dependencies",
        "_meta",
    }
)
"""Attributes in which dask's graphs repeat themselves."""


def read_origins(stack: ImageStack) -> tuple[Path, ...]:
    """Local files and folders that a stack reads from.

    Parameters
    ----------
    stack : ImageStack
        Any stack. One that has no ``origins`` of its own is looked through, as is its source.

    Returns
    -------
    tuple of pathlib.Path
        Absolute, without repetition; empty for what is in memory, or remote. What a compiled
        reader hides in itself is not found.
    """
    own = getattr(stack, "origins", None)
    if isinstance(own, tuple):
        return own
    return find_origins(stack.source, stack)


def find_origins(*sources: Any) -> tuple[Path, ...]:
    """Local files and folders that arrays, or whatever holds them, read from.

    A text counts where a part of it ends like what is written here (``.zarr``, ``.tif``,
    ``.tiff``). Nothing is opened, read or computed.
    """
    found: dict[Path, None] = {}
    seen: dict[int, Any] = {}
    waiting = deque((source, 0) for source in sources)
    while waiting and len(seen) < MOST_OBJECTS:
        item, depth = waiting.popleft()
        # by its type, as a proxy that lost its object cannot be asked for its class
        if issubclass(type(item), _NAMES_NOTHING) or id(item) in seen:
            continue
        if not isinstance(item, str):
            # kept alive, as an object made on the way must not give its id to another
            seen[id(item)] = item
        path = _path_of(item)
        if path is not None:
            found[path.absolute()] = None
        elif depth < _DEEPEST:
            waiting.extend((part, depth + 1) for part in _parts(item))
    return tuple(found)


def _path_of(item: Any) -> Path | None:
    """What an object says by itself that it reads from; None if it must be looked into."""
    if isinstance(item, str):
        return _text_path(item)
    if isinstance(item, PathLike):
        text = item.__fspath__()
        return Path(text) if isinstance(text, str) else None
    if isinstance(item, zarr.Array | zarr.Group):
        return node_path(item)
    if isinstance(item, Store):
        return store_path(item)
    if isinstance(item, np.memmap):
        return None if item.filename is None else Path(item.filename)
    if isinstance(item, FileHandle):
        return Path(item.path) if item.path else None
    if type(item).__module__.partition(".")[0] == "h5py":
        return _hdf5_path(item)
    if isinstance(item, io.IOBase):
        name = getattr(item, "name", None)
        return Path(name) if isinstance(name, str) else None
    return None


def _hdf5_path(item: Any) -> Path | None:
    """File of an object of h5py, which need not be installed; None where that is closed."""
    try:
        return Path(item.file.filename)
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return None


def _text_path(text: str) -> Path | None:
    if len(text) > 4096 or "\n" in text or "\0" in text:
        return None
    if not any(part.lower().endswith(_ENDINGS) for part in text.replace("\\", "/").split("/")):
        return None
    return local_path(text)


def _parts(item: Any) -> Iterable[Any]:
    """What an object is made of, as far as pixels may come from it."""
    if isinstance(item, str | FsspecStore):
        return ()
    if isinstance(item, np.ndarray):
        return (item.base,) if item.dtype != object else (item.base, *item.flat)
    if isinstance(item, zarr.Array | zarr.Group):
        return (item.store,)
    if isinstance(item, Mapping):
        return item.values() if type(item) is dict else _mapped(item)
    if isinstance(item, list | tuple | set | frozenset):
        return item
    if isinstance(item, functools.partial):
        return (item.func, item.args, item.keywords)
    if isinstance(item, MethodType):
        return (item.__self__,)
    if isinstance(item, FunctionType):
        return (*(item.__closure__ or ()), item.__defaults__, item.__kwdefaults__)
    if isinstance(item, CellType):
        return _cell(item)
    if type(item).__module__.partition(".")[0] in _LEADS_ASTRAY:
        return ()
    return _attributes(item)


def _mapped(item: Mapping[Any, Any]) -> Iterable[Any]:
    """A mapping that is no dict may make its values only when asked: its insides say as much."""
    insides = list(_attributes(item))
    return insides or item.values()


def _cell(cell: CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def _attributes(item: Any) -> Iterator[Any]:
    """Values of an object's attributes, without asking its properties."""
    values = getattr(item, "__dict__", None)
    if isinstance(values, dict):
        yield from [value for name, value in values.items() if name not in _BOOKKEEPING]
    for kind in type(item).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if not slot.startswith("__") and slot not in _BOOKKEEPING:
                yield getattr(item, slot, None)
