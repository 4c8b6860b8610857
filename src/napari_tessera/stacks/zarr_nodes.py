"""Finding a Zarr array or group from what a person names, and what a group holds."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

import zarr
from zarr.abc.store import Store
from zarr.errors import NodeNotFoundError
from zarr.storage import FsspecStore, LocalStore, StorePath, WrapperStore, ZipStore

from napari_tessera.stacks.checks import one_line
from napari_tessera.stacks.ngff import ome_attributes, read_multiscale

Node = zarr.Array[Any] | zarr.Group

_MARKERS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_LISTED = 8


def local_path(text: str) -> Path | None:
    """Path that a text names, ``file://`` included; None for any other URL.

    Some that make such a URL write ``%20`` for a space, Zarr and fsspec do not: what exists as it
    is written is meant as it is written.
    """
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", text, re.DOTALL)
    if match is None:
        return Path(text)
    scheme, rest = match.groups()
    if scheme.lower() != "file":
        return None
    rest = rest.removeprefix("localhost") if rest.startswith("localhost/") else rest
    # a drive, as in file:///C:/data, has no slash before it
    plain = Path(re.sub(r"^/([A-Za-z]:)", r"\1", rest))
    decoded = Path(url2pathname(rest))
    if plain == decoded or any(path.exists() for path in _up_to_store(plain)):
        return plain
    return decoded


def _up_to_store(path: Path) -> Iterator[Path]:
    """A path, and the Zarr stores that it may lie in, which exist where it does not."""
    yield path
    yield from (parent for parent in path.parents if parent.suffix.lower() == ".zarr")


def is_zarr_folder(path: Path) -> bool:
    """Whether a folder is a Zarr array or group."""
    return any((path / marker).is_file() for marker in _MARKERS)


@contextmanager
def quiet_zarr() -> Iterator[None]:
    """Leave out zarr's warnings on how others wrote their metadata, which a reader cannot mend."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"zarr\.")
        yield


def open_local(path: Path) -> Node:
    """Open an array or group below a local store, the store's outermost group as its root.

    Raises
    ------
    FileNotFoundError
        If there is nothing, naming what the nearest group holds.
    ValueError
        If there is something that is not Zarr, or damaged.
    """
    path = path.resolve()
    nearest = next((p for p in (path, *path.parents) if is_zarr_folder(p)), None)
    if nearest is None:
        problem = "is not a Zarr array or group" if path.exists() else "does not exist"
        raise (ValueError if path.exists() else FileNotFoundError)(f"{path} {problem}")
    root = nearest
    while is_zarr_folder(root.parent):
        root = root.parent
    if nearest != path:
        node = _open(root, nearest.relative_to(root).as_posix())
        what = _contents(node) if isinstance(node, zarr.Group) else "it is an array"
        missing = path.relative_to(nearest).as_posix()
        raise FileNotFoundError(f"{nearest} has no {missing!r}; {what}")
    return _open(root, path.relative_to(root).as_posix())


def open_url(url: str) -> Node:
    """Open an array or group at a URL that zarr's own stores understand.

    The store's root is taken to end with the first part of the URL that ends in ``.zarr``.
    """
    match = re.match(r"(.*?\.zarr)/+(.+?)/*$", url)
    return _open(*match.groups()) if match else _open(url, "")


def _open(root: str | Path, inner: str) -> Node:
    inner = "" if inner == "." else inner
    name = f"{root}/{inner}" if inner else root
    try:
        # a folder's name may look like a URL to zarr
        return zarr.open(LocalStore(root) if isinstance(root, Path) else root, mode="r", path=inner)
    except (NodeNotFoundError, FileNotFoundError):
        raise FileNotFoundError(f"{name} holds no Zarr array or group") from None
    except PermissionError:
        raise
    except Exception as error:
        raise ValueError(f"{name} cannot be opened as Zarr: {one_line(error)}") from error


def node_name(node: Node) -> str:
    """Where a node is: a path for local stores, a URL for others."""
    path = node_path(node)
    if path is not None:
        return str(path)
    if isinstance(node.store, FsspecStore):
        files = getattr(node.store.fs, "sync_fs", node.store.fs)
        return "/".join(filter(None, (files.unstrip_protocol(node.store.path), node.path)))
    return str(node.store_path)


def node_path(node: Node) -> Path | None:
    """Folder of a node in a local store; None where the store is no folder.

    The store itself is asked: of its text, ``file://`` before a path that may be relative and is
    not encoded, no path can be read back.
    """
    root = store_path(node.store)
    return None if root is None or root.is_file() else (root / node.path).resolve()


def store_path(store: Store) -> Path | None:
    """Folder or file of a local store; None for memory, a URL, and what is not known."""
    if isinstance(store, WrapperStore):
        return store_path(store._store)
    if isinstance(store, LocalStore):
        return store.root
    if isinstance(store, ZipStore):
        return store.path
    if isinstance(store, FsspecStore):
        protocol = store.fs.protocol
        names = (protocol,) if isinstance(protocol, str) else protocol
        return Path(store.path) if "file" in names or "local" in names else None
    return None


def groups_around(array: zarr.Array[Any]) -> Iterator[tuple[zarr.Group, str]]:
    """The groups that an array lies in, innermost first, each with the array's path in it."""
    parts = array.path.split("/") if array.path else []
    for depth in reversed(range(len(parts))):
        try:
            group = zarr.open_group(StorePath(array.store, "/".join(parts[:depth])), mode="r")
        except (NodeNotFoundError, FileNotFoundError):
            continue
        yield group, "/".join(parts[depth:])


def only_array(group: zarr.Group) -> zarr.Array[Any]:
    """The array of a plain group that holds nothing else.

    Raises
    ------
    ValueError
        If the group is a plate, a well, a container of images or has not exactly one array: the
        message lists what can be named.
    """
    arrays = list(islice(group.arrays(), 2))
    if _kind(group) == "group" and len(arrays) == 1 and not any(group.group_keys()):
        return arrays[0][1]
    raise ValueError(f"{node_name(group)} is a {_kind(group)}, not one image; {_contents(group)}")


def _kind(group: zarr.Group) -> str:
    attributes = ome_attributes(group.attrs.asdict())
    if "plate" in attributes:
        return "plate"
    if "well" in attributes:
        return "well"
    if "bioformats2raw.layout" in attributes:
        return "bioformats2raw container"
    return "group"


def _contents(group: zarr.Group) -> str:
    """What a group holds, as part of an error message."""
    names = list(islice(image_paths(group), _LISTED + 1))
    if not names:
        return "it holds no image"
    more = ", …" if len(names) > _LISTED else ""
    return f"name one of its images, e.g. {node_name(group)}/{names[0]}; it holds " + (
        ", ".join(names[:_LISTED]) + more
    )


def image_paths(group: zarr.Group) -> Iterator[str]:
    """Paths, below a group, of the images and arrays that can be opened one by one."""
    attributes = ome_attributes(group.attrs.asdict())
    kind = _kind(group)
    if kind == "plate":
        wells = (str(well["path"]) for well in attributes["plate"].get("wells", ()))
        for well in sorted(wells, key=_natural):
            child = group.get(well)
            if isinstance(child, zarr.Group):
                yield from (f"{well}/{name}" for name in image_paths(child))
    elif kind == "well":
        yield from (str(image["path"]) for image in attributes["well"].get("images", ()))
    else:
        yield from _members(group)


def _members(group: zarr.Group) -> Iterator[str]:
    yield from sorted(group.array_keys())
    for name, child in sorted(group.groups(), key=lambda item: _natural(item[0])):
        if read_multiscale(child.attrs.asdict()) is not None:
            yield name
        else:
            yield from (f"{name}/{inner}" for inner in image_paths(child))


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorting key by which 10 comes after 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
