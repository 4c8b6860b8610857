"""What an image is called, out of where it came from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from napari_tessera.stacks.opening.location import parse_location


@dataclass(frozen=True)
class SourceName:
    """Where an image came from, in the parts that names of results are made of.

    Parameters
    ----------
    folder : str
        Local folder of the file or outermost store; empty where there is none.
    name : str
        Name of the file or store, with its ending.
    part : str
        Path of the array in a store or HDF5 file, or the name of a scene; empty where the image is
        all that there is.
    is_path : bool
        Whether ``part`` is a path, and not a name that may hold anything.
    level : str
        Number of the resolution level; empty for the full size.
    """

    folder: str
    name: str
    part: str
    is_path: bool
    level: str

    @property
    def in_store(self) -> bool:
        """Whether the file or folder is a Zarr store by its name."""
        return self.name.lower().endswith((".zarr", ".zarr.zip"))


def parse_source(source: str | Path) -> SourceName:
    """Take apart where an image came from.

    Parameters
    ----------
    source : str or pathlib.Path
        ``in.zarr/group/array``, ``in.zarr.zip#group/array``, ``file.h5#/path``,
        ``file.czi#scene``, ``file.tif``, ``"array"``, ``"layer:NAME"``, each of a lower
        resolution with ``", level 1"`` after it.
    """
    text, comma, level = str(source).rpartition(", level ")
    if not comma or not level.isdecimal():
        text, level = str(source), ""
    if text.startswith("layer:"):
        return SourceName("", text, "", False, level)
    location = parse_location(text)
    file, part = text, location.part
    if part is not None:
        file = text[: -len(part) - 1]
    elif location.path is not None and not location.path.exists():
        # of what is not there, or no more, the first part of a name that has an ending
        file, part = _split_unseen(text)
    file = file.removeprefix("file://").replace("\\", "/")
    parts = PurePosixPath(file).parts

    def folder(names: tuple[str, ...]) -> str:
        return str(PurePosixPath(*names)) if names and location.path is not None else ""

    for at, name in enumerate(parts):
        if name.lower().endswith((".zarr", ".zarr.zip")):
            inner = "/".join((*parts[at + 1 :], *(part or "").strip("/").split("/")))
            return SourceName(folder(parts[:at]), name, inner.strip("/"), True, level)
    name = parts[-1] if parts else "array"
    within = (part or "").strip("/")
    is_path = part is not None and (part.startswith("/") or name.lower().endswith(".zip"))
    return SourceName(folder(parts[:-1]), name, within, is_path, level)


def plain(text: str) -> str:
    """A text without what has a meaning in paths, for names of files that are not hidden."""
    return re.sub(r"[^\w.\- ]+", "_", text).strip("_ ").lstrip("._ ")


def _split_unseen(text: str) -> tuple[str, str | None]:
    for match in re.finditer("#", text):
        if PurePosixPath(text[: match.start()]).suffix:
            return text[: match.start()], text[match.end() :]
    return text, None
