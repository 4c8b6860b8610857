"""Opening the Zarr array or group that a text names: in a folder, a ZIP file or at a URL."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path, PurePosixPath
from typing import Any

import zarr
from zarr.abc.store import Store
from zarr.errors import NodeNotFoundError
from zarr.storage import FsspecStore, StorePath, ZipStore

from napari_tessera.stacks.checks import error_line, not_there
from napari_tessera.stacks.opening.location import parse_location
from napari_tessera.stacks.protocol import StackReadError
from napari_tessera.stacks.zarr.contents import contents
from napari_tessera.stacks.zarr.files import FileStore
from napari_tessera.stacks.zarr.http import HttpSession, is_http, split_query
from napari_tessera.stacks.zarr.ngff import read_multiscale
from napari_tessera.stacks.zarr.nodes import (
    ZARR_FILES,
    Node,
    attributes_of,
    consolidated,
    innermost_store,
    is_zarr_folder,
    node_name,
    store_path,
)
from napari_tessera.stacks.zarr.remote import (
    ReadingStore,
    ServerError,
    fsspec_store,
    missing_bucket,
    patient,
)

_LISTED = 8

_CACHES = frozenset({"blockcache", "cached", "filecache", "simplecache"})
"""File systems of fsspec that keep what they read from another one."""


@dataclass(frozen=True)
class OpenedNode:
    """An array or group, and how to let go of what was opened for it.

    Parameters
    ----------
    node : zarr.Array or zarr.Group
        The array or group.
    release : callable
        Closes file or connections; may be called from any thread, more than once.
    root : str or None
        URL of the store, as it was given; None of a local store, which says where it is.
    query : str
        What every request to a web server ends with, with its ``?``; may be empty.
    """

    node: Node
    release: Callable[[], None]
    root: str | None = None
    query: str = ""

    def name(self, array: zarr.Array[Any]) -> str:
        """Where an array of the store is, by which it can be opened again."""
        # what a chain of fsspec's file systems says of itself leaves out most of the URL
        if self.root is None:
            return node_name(array)
        return "/".join(filter(None, (self.root, array.path))) + self.query


def open_node(text: str) -> OpenedNode:
    """Open what a path, ``file.zip#path`` or URL names.

    Raises
    ------
    FileNotFoundError
        If there is nothing, naming what the nearest group holds.
    ValueError
        If there is something that is not Zarr, or is damaged, or a library is missing.
    StackReadError
        If a server or disk does not answer as it should.
    """
    location = parse_location(text)
    if location.path is None:
        return _open_url(text)
    path = location.path.resolve()
    if path.is_file():
        return _open_zip(path, location.part or "")
    return OpenedNode(_open_folder(location.whole().resolve()), _nothing)


def _nothing() -> None:
    """Release what needs no release."""


def _open_folder(path: Path) -> Node:
    """Open an array or group below a local store, the store's outermost group as its root."""
    nearest = next((p for p in (path, *path.parents) if is_zarr_folder(p)), None)
    if nearest is None:
        if not path.exists():
            raise not_there(path)
        raise ValueError(
            f"{path} is not a Zarr array or group: name the folder that has zarr.json, .zarray or "
            ".zgroup in it"
        )
    root = nearest
    while is_zarr_folder(root.parent):
        root = root.parent
    store = FileStore(root, read_only=True)
    node = _node(store, nearest.relative_to(root).as_posix(), str(nearest))
    if nearest != path:
        inner = path.relative_to(nearest).as_posix()
        what = contents(node) if isinstance(node, zarr.Group) else "it is an array"
        raise FileNotFoundError(f"{nearest} has no {inner!r}; {what}")
    return node


def _open_zip(file: Path, inner: str) -> OpenedNode:
    """Open a store in a ZIP file, or in the one folder at the root of a ZIP file."""
    inner = inner.strip("/")
    name = f"{file}#{inner}" if inner else str(file)
    try:
        root = _root_in_zip(file, inner)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{file} is not a Zarr array or group ({error_line(error)})") from error
    store = ZipStore(file, mode="r", read_only=True)
    try:
        return OpenedNode(_node(store, root, name), store.close)
    except FileNotFoundError:
        store.close()
        what = f"Zarr array or group {inner!r}" if inner else "Zarr array or group"
        raise FileNotFoundError(f"{file} holds no {what}") from None
    except BaseException:
        # a file that zarr did not come to open cannot be closed
        if store._is_open:
            store.close()
        raise


def _root_in_zip(file: Path, inner: str) -> str:
    """Path in a ZIP file of what is to be opened.

    Raises
    ------
    ValueError
        If the file holds several stores, and none is named.
    """
    with zipfile.ZipFile(file) as archive:
        names = (PurePosixPath(name) for name in archive.namelist())
        nodes = {name.parent for name in names if name.name in ZARR_FILES}
    if PurePosixPath(inner) in nodes:
        return inner
    roots = sorted(str(node) for node in nodes if nodes.isdisjoint(node.parents))
    if len(roots) == 1:
        return str(PurePosixPath(roots[0]) / inner)
    if len(roots) > 1 and not inner:
        some = ", ".join(roots[:_LISTED]) + (", …" if len(roots) > _LISTED else "")
        raise ValueError(f"{file} holds {some}; name one of them, e.g. {file}#{roots[0]}")
    return inner


def _open_url(url: str) -> OpenedNode:
    """Open an array or group at a URL that fsspec understands.

    The store's root is taken to end with the first part of the URL's path that ends in ``.zarr``.
    Without one it is what is named; of an array also the group around it is looked at. A query,
    as a signed URL of a web server has one, is asked with for every object.
    """
    place, query = split_query(url)
    match = re.match(r"((?:(?i:https?)://[^/?]*/+)?+[^?]*?\.zarr)/+(.+?)/*$", place)
    root, inner = (match.group(1), match.group(2)) if match else (place.rstrip("/"), "")
    session = HttpSession(query) if is_http(root) else None
    options = {} if session is None else session.storage_options()
    release = _nothing if session is None else session.close
    store: Store | None = None
    try:
        store = _url_store(root, options)
        known = store_path(store) is not None
        node = _node(store, inner, url)
        if not inner and isinstance(node, zarr.Array):
            node = _in_its_image(node)
            root = root.removesuffix(f"/{node.path}") if node.path else root
        return OpenedNode(node, release, None if known else root, query)
    except FileNotFoundError as error:
        release()
        zipped = root.lower().endswith(".zip") and session is not None
        hint = f" (a ZIP file is opened as zip::{url})" if zipped else _no_bucket(store)
        raise FileNotFoundError(f"{error}{hint}") from None
    except BaseException:
        release()
        raise


def _no_bucket(store: Store | None) -> str:
    try:
        bucket = None if store is None else missing_bucket(store)
    except Exception:
        # there is nothing, whatever the reason
        return ""
    return "" if bucket is None else f": there is no bucket {bucket!r}, or it may not be looked at"


def _in_its_image(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """An array at a store's root, as part of the OME-Zarr image of the group around, if it is.

    Nothing that the group answers is an error: it need not be there, nor be shown to everyone.
    """
    given, store = array.store, innermost_store(array.store)
    if not isinstance(store, FsspecStore) or not isinstance(given, ReadingStore):
        return array
    around, _, name = store.path.rstrip("/").rpartition("/")
    # beside a ZIP file, or above a bucket, lies no group
    if not around.strip("/") or around.endswith((":", ":/")) or "::" in store.path:
        return array
    try:
        # with the same connections
        outer = FsspecStore(store.fs, path=around, read_only=True)
        version = array.metadata.zarr_format
        group = zarr.open_group(outer, mode="r", zarr_format=version, use_consolidated=False)
        image = read_multiscale(attributes_of(group))
    except Exception:
        return array
    if image is None or name not in image.paths:
        return array
    place = StorePath(given.beside(outer), name)
    return zarr.Array(zarr.AsyncArray(metadata=array.metadata, store_path=place))


def _url_store(root: str, options: dict[str, Any]) -> Store:
    cache, _, cached = root.partition("::")
    if cached and cache in _CACHES:
        # another thread may read a copy while it is still being written
        raise ValueError(
            f"{root} cannot be read: fsspec's {cache} is not made for several threads; leave it "
            f"out ({cached}), or download the image"
        )
    try:
        return patient(fsspec_store(root, read_only=True, **options))
    except ImportError as error:
        raise ValueError(
            f'{root} needs what is not installed: pip install "napari-tessera[remote]", or what '
            f"fsspec names ({error_line(error)})"
        ) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StackReadError(
            f"{root} cannot be opened: {error_line(error)}; look at the address, and whether its "
            "server can be reached (https:// and s3:// are the usual ones)"
        ) from error
    except ValueError as error:
        if "range requests" in str(error):
            # a ZIP file is read from its end
            raise StackReadError(
                f"{root} cannot be read in parts: its server knows no byte ranges; download it"
            ) from error
        raise ValueError(
            f"{root} is no URL that fsspec understands: {error_line(error)}"
        ) from error


def _node(store: Store, path: str, name: str) -> Node:
    """Open a node by what the store says of itself, else by metadata that are consolidated."""
    path = "" if path == "." else path
    try:
        try:
            return zarr.open(store, mode="r", path=path, use_consolidated=False)
        except (NodeNotFoundError, FileNotFoundError):
            return _consolidated(store, path)
    except ServerError as error:
        raise not_opened(name, error) from error
    except (NodeNotFoundError, FileNotFoundError, KeyError):
        raise FileNotFoundError(f"{name} holds no Zarr array or group") from None
    except (PermissionError, StackReadError):
        raise
    except Exception as error:
        raise not_opened(name, error) from error


@contextmanager
def naming(node: Node) -> Iterator[None]:
    """Name the node where something in it turns out to be damaged, or cannot be read."""
    try:
        yield
    except ServerError as error:
        raise not_opened(node_name(node), error) from error
    except (FileNotFoundError, PermissionError, StackReadError):
        raise
    except (AttributeError, JSONDecodeError, KeyError, OSError, TypeError) as error:
        raise not_opened(node_name(node), error) from error


def not_opened(name: str, error: Exception) -> StackReadError | ValueError:
    """The error for an array or group that the store has, and Zarr-Python does not take."""
    # zarr and numcodecs each have an error of this name
    if type(error).__name__ == "UnknownCodecError":
        return ValueError(
            f"{name} is compressed by a codec that is not installed ({error_line(error)}): "
            "install the Python package that has it"
        )
    if isinstance(error, ServerError):
        return StackReadError(f"{name} cannot be opened as Zarr: {error}")
    if _is_trouble(error):
        return StackReadError(f"{name} cannot be opened as Zarr: {error_line(error)}")
    return ValueError(
        f"{name} cannot be opened as Zarr: {error_line(error).rstrip('.')}; its metadata is "
        "damaged, or of a kind that Zarr-Python does not know: copy it again, or have it written "
        "anew"
    )


def _consolidated(store: Store, path: str) -> Node:
    if not path:
        raise FileNotFoundError
    try:
        return consolidated(zarr.open_group(store, mode="r", use_consolidated=False))[path]
    except ValueError:
        raise FileNotFoundError from None


def _is_trouble(error: Exception) -> bool:
    """Whether it is the server or disk that failed, not the data; aiohttp's are of its own kind."""
    return isinstance(error, OSError | TimeoutError) or type(error).__module__.startswith("aiohttp")
