"""What a Zarr group holds: its images, one by one, and the one array where there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count, islice
from typing import Any

import zarr
from zarr.storage import ZipStore

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.zarr.ngff import ome_attributes, read_multiscale
from napari_tessera.stacks.zarr.nodes import (
    Node,
    attributes_of,
    child_node,
    consolidated,
    innermost_store,
    node_name,
)

_LISTED = 8
_LAYOUT = "bioformats2raw.layout"


def only_array(group: zarr.Group) -> zarr.Array[Any]:
    """The array of a plain group that holds nothing else.

    Raises
    ------
    ValueError
        If the group is a plate, a well, a container of images or has not exactly one array: the
        message lists what can be named.
    """
    kind = _kind(group)
    if kind == "group":
        members = list(islice(_members(group), 2))
        if len(members) == 1 and isinstance(members[0][1], zarr.Array):
            return members[0][1]
    raise ValueError(f"{node_name(group)} is a {kind}, not one image; {contents(group)}")


def contents(group: zarr.Group) -> str:
    """What a group holds, as part of an error message."""
    name = node_name(group)
    try:
        names = list(islice(image_paths(group), _LISTED + 1))
    except Exception as error:
        # what a server or a damaged store refuses must not hide what was to be said
        return f"name the image in it (they cannot be listed: {error_line(error)})"
    if not names:
        return "it holds no image"
    more = ", …" if len(names) > _LISTED else ""
    zipped = isinstance(innermost_store(group.store), ZipStore) and not group.path
    sign = "#" if zipped else "/"
    return f"name one of its images, e.g. {name}{sign}{names[0]}; it holds " + (
        ", ".join(names[:_LISTED]) + more
    )


def image_paths(group: zarr.Group) -> Iterator[str]:
    """Paths, below a group, of the images and arrays that can be opened one by one.

    Of a plate and a container those that their metadata name and that are there. Labels of an
    image are not listed beside it.
    """
    attributes = ome_attributes(attributes_of(group))
    kind = _kind(group)
    if kind == "plate":
        for well in sorted(_paths(attributes["plate"], "wells"), key=_natural):
            images = _child_group(group, well)
            if images is not None:
                yield from (f"{well}/{name}" for name in image_paths(images))
    elif kind == "well":
        yield from _existing(group, _paths(attributes["well"], "images"))
    elif kind == "bioformats2raw container":
        yield from _series(group)
    else:
        for name, child in _members(group):
            if isinstance(child, zarr.Array) or _is_image(child):
                yield name
            else:
                yield from (f"{name}/{inner}" for inner in image_paths(child))


def _kind(group: zarr.Group) -> str:
    attributes = ome_attributes(attributes_of(group))
    for kind in ("plate", "well"):
        if isinstance(attributes.get(kind), Mapping):
            return kind
    return "bioformats2raw container" if _LAYOUT in attributes else "group"


def _paths(described: Mapping[str, Any], key: str) -> list[str]:
    """Paths in a list of wells or of images; what is no such entry is left out."""
    entries = described.get(key)
    if not isinstance(entries, list):
        return []
    paths = (entry.get("path") for entry in entries if isinstance(entry, Mapping))
    return [str(path).strip("/") for path in paths if isinstance(path, str | int)]


def _series(group: zarr.Group) -> Iterator[str]:
    """Images of a container: as its OME group names them, else its groups.

    Where a server lists nothing they are looked for: they are numbered from 0.
    """
    ome = _child_group(group, "OME")
    named = None if ome is None else ome_attributes(attributes_of(ome)).get("series")
    if isinstance(named, list):
        yield from _existing(group, [str(path) for path in named])
        return
    listed = [name for name, child in _members(group) if isinstance(child, zarr.Group)]
    if listed:
        yield from (name for name in listed if name != "OME")
        return
    for number in count():
        if not any(_existing(group, [str(number)])):
            return
        yield str(number)


def _existing(group: zarr.Group, paths: list[str]) -> Iterator[str]:
    for path in paths:
        try:
            found = child_node(group, path)
        except ValueError:
            continue
        if found is not None:
            yield path


def _child_group(group: zarr.Group, path: str) -> zarr.Group | None:
    try:
        child = child_node(group, path)
    except ValueError:
        return None
    return child if isinstance(child, zarr.Group) else None


def _is_image(group: zarr.Group) -> bool:
    try:
        return read_multiscale(attributes_of(group)) is not None
    except ValueError:
        # its metadata are damaged; its arrays can be named one by one
        return False


def _members(group: zarr.Group) -> Iterator[tuple[str, Node]]:
    """Arrays, then groups of a group; from consolidated metadata where a store lists nothing."""
    found = _listed(group)
    if not found:
        try:
            found = _listed(consolidated(group))
        except ValueError:
            found = []
    arrays = [item for item in found if isinstance(item[1], zarr.Array)]
    groups = [item for item in found if isinstance(item[1], zarr.Group)]
    yield from sorted(arrays, key=lambda item: _natural(item[0]))
    yield from sorted(groups, key=lambda item: _natural(item[0]))


def _listed(group: zarr.Group) -> list[tuple[str, Node]]:
    return list(group.members())


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorting key by which 10 comes after 9."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
