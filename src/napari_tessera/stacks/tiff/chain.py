"""The chain of directories in a TIFF file, followed before anything else believes in it."""

from __future__ import annotations

import struct
from pathlib import Path

from napari_tessera.stacks.protocol import StackReadError
from napari_tessera.stacks.tiff.open_files import OpenFiles, Read

_CLASSIC, _BIG = 42, 43
_MOST_TAGS = 4096
_MOST_LEVELS = 64
_READ_AT_ONCE = 512
_WIDE_OFFSETS = ".ndpi"
_SIZES = frozenset((256, 257, 277, 278, 322, 323, 32997, 32998))
"""Tags with sizes of the image, its pixels, strips and tiles."""
_SIGNED = {6: 1, 8: 2, 9: 4, 17: 8}
"""Bytes of the integer types that may be negative."""
_BASELINE = frozenset(range(254, 348))
"""Tags that TIFF itself defines; makers' own ones are often broken, and not missed."""
_SUB_IFDS = 330
_NEEDED = frozenset((258, 270, 273, 279, 324, 325, _SUB_IFDS, 338, 339))
"""Tags without which a page is taken for another one: type of the pixels, what the image is,
where its strips, tiles and levels are."""
_TYPE_SIZES = (
    dict.fromkeys((1, 2, 6, 7), 1)
    | dict.fromkeys((3, 8), 2)
    | dict.fromkeys((4, 9, 11, 13), 4)
    | dict.fromkeys((5, 10, 12, 16, 17, 18), 8)
)
"""Bytes of one value of each type."""


class _Form:
    """How numbers are written in one file: byte order, classic or big."""

    def __init__(self, order: str, big: bool) -> None:
        offset = "Q" if big else "I"
        self.big_endian = order == ">"
        self.first_at = 8 if big else 4
        self.count = struct.Struct(order + ("Q" if big else "H"))
        self.offset = struct.Struct(order + offset)
        # code, type, count, value or its offset
        self.tag = struct.Struct(f"{order}HH{offset}{offset}")


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
    if order is None or len(head) < 4 or path.suffix.lower() == _WIDE_OFFSETS:
        return 0
    (version,) = struct.unpack(f"{order}H", head[2:4])
    if version not in (_CLASSIC, _BIG):
        return 0
    form = _Form(order, version == _BIG)
    if len(head) < form.first_at + form.offset.size:
        raise cut_off(path, "its header is not whole", size)
    (offset,) = form.offset.unpack_from(head, form.first_at)
    pages, seen, lap, steps = 0, 0, 1, 0
    last = (0, 0, b"")
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
        if len(block) < form.count.size:
            raise cut_off(path, f"{where} is not whole", size)
        (tags,) = form.count.unpack_from(block)
        if not 0 < tags <= _MOST_TAGS:
            raise StackReadError(
                f"{path} is damaged: {where} has {tags} tags; pass the array that tifffile.imread "
                "makes of what is left"
            )
        end = form.count.size + tags * form.tag.size
        if len(block) < end + form.offset.size:
            block = read(offset, end + form.offset.size)
        if len(block) < end + form.offset.size:
            raise cut_off(path, f"{where} is not whole", size)
        directory = block[form.count.size : end]
        _check_sizes(path, form, where, directory)
        _check_values(path, size, form, _NEEDED, (offset, pages, directory))
        _check_levels(path, size, form, read, pages, directory)
        last = max(last, (offset, pages, directory))
        (offset,) = form.offset.unpack_from(block, end)
        pages += 1
    # a file that was written in order has lost most from there on
    _check_values(path, size, form, _BASELINE, last)
    return pages


def _check_sizes(path: Path, form: _Form, where: str, tags: bytes) -> None:
    """Refuse negative sizes: with these tifffile counts pages backwards, without an end."""
    for code, kind, count, value in form.tag.iter_unpack(tags):
        if code in _SIZES and kind in _SIGNED and count == 1:
            sign = 8 * (form.offset.size if form.big_endian else _SIGNED[kind]) - 1
            if value >> sign & 1:
                raise StackReadError(f"{path} is damaged: in {where} tag {code} is negative")


def _check_values(
    path: Path, size: int, form: _Form, codes: frozenset[int], page: tuple[int, int, bytes]
) -> None:
    """Look whether a directory has lost what its tags refer to.

    tifffile leaves such tags out: the page is then taken for one of another image, or, without
    the OME-XML that may lie at the very end, the image for one with other axes.
    """
    at, number, tags = page
    for code, kind, count, value in form.tag.iter_unpack(tags):
        if code in codes:
            nbytes = count * _TYPE_SIZES.get(kind, 0)
            if nbytes > form.offset.size and value + nbytes > size:
                raise cut_off(
                    path,
                    f"tag {code} of page {number} (directory at byte {at}) should be at byte "
                    f"{value}",
                    size,
                )


def _check_levels(path: Path, size: int, form: _Form, read: Read, page: int, tags: bytes) -> None:
    """Look whether the levels that a page refers to begin inside the file."""
    for code, kind, count, value in form.tag.iter_unpack(tags):
        if code != _SUB_IFDS or not count or _TYPE_SIZES.get(kind) != form.offset.size:
            continue
        stored = form.offset.pack(value)
        if count > 1:
            stored = read(value, min(count, _MOST_LEVELS) * form.offset.size)
        for (offset,) in form.offset.iter_unpack(stored):
            if offset >= size:
                raise cut_off(path, f"a level of page {page} should be at byte {offset}", size)


def cut_off(path: Path, reason: str, size: int) -> StackReadError:
    """The error for a file that ends too early."""
    return StackReadError(
        f"{path} is cut off: {reason}, the file ends at byte {size}; copy it again, or pass the "
        "array that tifffile.imread makes of what is left"
    )
