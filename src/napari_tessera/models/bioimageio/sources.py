"""Files that a description names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from napari_tessera.models.bioimageio.fields import Field

_IN_PACKAGE = "Put the file into the package and name it there"


@dataclass(frozen=True)
class Source:
    """A file that a description names.

    Parameters
    ----------
    field : str
        Where it is named, for errors.
    name : str
        Path within the package, with slashes; of a remote one its address.
    sha256 : str or None
        Hash that the description gives, lower case.
    is_remote : bool
        Whether it lies on a server: it is never fetched.
    """

    field: str
    name: str
    sha256: str | None
    is_remote: bool = False


def read_source(field: Field, sha256: Field) -> Source:
    """Read where a file lies.

    Parameters
    ----------
    field : Field
        A path within the package, or an address.
    sha256 : Field
        Its hash, perhaps left out.

    Raises
    ------
    DescriptionError
        If the path leads out of the package.
    """
    text = field.text()
    digest = sha256.text().lower() if sha256 else None
    if digest is not None and not re.fullmatch(r"[0-9a-f]{64}", digest):
        sha256.refuse("not 64 hexadecimal digits")
    if re.match(r"https?://", text, re.IGNORECASE):
        return Source(field.path, text, digest, is_remote=True)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text):
        field.refuse("neither a file of the package nor an address", _IN_PACKAGE)
    if not is_inside(text):
        field.refuse("a path that leads out of the package", _IN_PACKAGE)
    return Source(field.path, PurePosixPath(text).as_posix(), digest)


def is_inside(name: str) -> bool:
    """Whether a path stays within the folder that it starts from, on every system."""
    parts = name.replace("\\", "/").split("/")
    forbidden = "\\" in name or ":" in name or any(ord(character) < 32 for character in name)
    return bool(name) and not forbidden and parts[0] != "" and ".." not in parts
