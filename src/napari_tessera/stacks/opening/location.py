"""What a text names: a file or folder, a URL, and the part of a file after ``#``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import url2pathname

_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))


@dataclass(frozen=True)
class Location:
    """Where an image is.

    Parameters
    ----------
    text : str
        What was asked for.
    path : pathlib.Path or None
        The file or folder; None for a URL that is not ``file://``.
    part : str or None
        What stands after ``#``: a dataset, scene or series of the file.
    """

    text: str
    path: Path | None
    part: str | None = None

    def whole(self) -> Path:
        """The local path, where the kind of image has no parts to choose from.

        Raises
        ------
        ValueError
            If a part was named.
        """
        assert self.path is not None
        if self.part is not None:
            raise ValueError(
                f"{self.path} has no parts to choose by '#', {self.part!r} was given: leave it "
                "out (an array in a Zarr store is named as a.zarr/group/array)"
            )
        return self.path


def parse_location(text: str) -> Location:
    """Split a text into path and part.

    ``file.h5#/dataset``, ``file.czi#scene`` and ``file.tif#1`` name a part of a file, unless
    something is there by the whole name. Of several ``#`` the last is it that leaves the name
    of something that exists, so that both file and part may hold one.

    Parameters
    ----------
    text : str
        A path, ``file://`` or another URL. In other URLs ``#`` means nothing here.

    Returns
    -------
    Location
        Of what is not there, whole: an error can name it as it was written.
    """
    path = local_path(text)
    if path is None or _exists(path):
        return Location(text, path)
    for file, part in _splits(text):
        found = local_path(file)
        if found is not None and _exists(found):
            return Location(text, found, part)
    return Location(text, path)


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """Each way to split at a ``#``, the last first; the ``#`` of ``folder/#x`` begins a name."""
    at = text.rfind("#")
    while at > 0:
        if not text[:at].endswith(_SEPARATORS):
            yield text[:at], text[at + 1 :]
        at = text.rfind("#", 0, at)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        # too long, or with a NUL: no name of a file
        return False


def local_path(text: str) -> Path | None:
    """Path that a text names, ``file://`` included; None for any other URL.

    Some that make such a URL write ``%20`` for a space, Zarr and fsspec do not: what exists as it
    is written is meant as it is written.
    """
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", text, re.DOTALL)
    if match is None:
        # URLs of fsspec can be chained: simplecache::s3://bucket/a.zarr
        return None if re.match(r"([a-z][a-z0-9+.-]+::)+[a-z][a-z0-9+.-]+://", text) else Path(text)
    scheme, rest = match.groups()
    # fsspec knows it by both names
    if scheme.lower() not in ("file", "local"):
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
