"""The chain of directories in a TIFF file, followed before anything else believes in it."""

from __future__ import annotations

import struct
from pathlib import Path

from napari_tessera.stacks.open_files import OpenFiles, Read
from napari_tessera.stacks.protocol import StackReadError

_CLASSIC, _BIG = 42, 43
_MOST_TAGS = 4096
_READ_AT_ONCE = 512
_WIDE_OFFSETS = ".ndpi"
_LAYOUTS = {_CLASSIC: (4, "H", 12, "I"), _BIG: (8, "Q", 20, "Q")}
"""Where the offset of the first directory is, type of a count of tags, size of a tag, type of an
offset."""


def count_pages(path: Path) -> int:
    """Follow the directories of a TIFF file from one to the next.

    tifffile ends the list of pages where the chain is broken, and an image would silently be
    shorter than it was; a chain that runs in a circle it may follow without an end.

    Parameters
    ----------
    path : pathlib.Path
        A file; of one that is no TIFF, or one with NDPI's own kind of offsets, nothing is said.

    Returns
    -------
    int
        The number of directories in the chain; 0 where nothing can be said.

    Raises
    ------
    StackReadError
        If the chain leaves the file, runs in a circle, or a directory is damaged.
    FileNotFoundError
        If there is no such file.
    """
    files = OpenFiles(1)
    try:
        with files.reading(str(path)) as read:
            return _count(path, path.stat().st_size, read)
    finally:
        files.close()


def _count(path: Path, size: int, read: Read) -> int:
    head = read(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8 or path.suffix.lower() == _WIDE_OFFSETS:
        return 0
    (version,) = struct.unpack(f"{order}H", head[2:4])
    if version not in _LAYOUTS:
        return 0
    at, count_type, tag_size, offset_type = _LAYOUTS[version]
    count_format, offset_format = (
        struct.Struct(order + count_type),
        struct.Struct(order + offset_type),
    )
    if len(head) < at + offset_format.size:
        return 0
    (offset,) = offset_format.unpack_from(head, at)
    pages, seen, lap, steps = 0, 0, 1, 0
    while offset:
        if offset >= size:
            raise cut_off(path, f"the directory of page {pages} should be at byte {offset}", size)
        if offset == seen:
            raise StackReadError(
                f"{path} is damaged: its directories run in a circle, that at byte {offset} comes "
                "again; pass the array that tifffile.imread makes of it"
            )
        # Brent's way to find a circle: what is compared with moves on after 1, 2, 4, … steps
        steps += 1
        if steps == lap:
            seen, lap, steps = offset, 2 * lap, 0
        block = read(offset, _READ_AT_ONCE)
        where = f"the directory of page {pages} at byte {offset}"
        if len(block) < count_format.size:
            raise cut_off(path, f"{where} is not whole", size)
        (tags,) = count_format.unpack_from(block)
        if not 0 < tags <= _MOST_TAGS:
            raise StackReadError(
                f"{path} is damaged: {where} has {tags} tags; pass the array that tifffile.imread "
                "makes of what is left"
            )
        end = count_format.size + tags * tag_size
        following = block[end : end + offset_format.size]
        if len(following) < offset_format.size:
            following = read(offset + end, offset_format.size)
        if len(following) < offset_format.size:
            raise cut_off(path, f"{where} is not whole", size)
        (offset,) = offset_format.unpack(following)
        pages += 1
    return pages


def cut_off(path: Path, reason: str, size: int) -> StackReadError:
    """The error for a file that ends too early."""
    return StackReadError(
        f"{path} is cut off: {reason}, the file ends at byte {size}; copy it again, or pass the "
        "array that tifffile.imread makes of what is left"
    )
