"""Which TIFF files a folder or pattern stands for, in which order, and what their names tell."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from os import PathLike, fspath
from pathlib import Path

from tifffile import natural_sorted

from napari_tessera.stacks.axis_guess import letter_of
from napari_tessera.stacks.checks import not_there
from napari_tessera.stacks.opening.file_kinds import TIFF_SUFFIXES, FileKind, file_kind
from napari_tessera.stacks.opening.location import local_path


class NoTiffError(ValueError):
    """A folder, or the files that a pattern stands for, have no TIFF among them."""


_WILD = re.compile(r"[*?]|\[[^]]")


def is_pattern(text: str) -> bool:
    """Whether a text holds ``*``, ``?`` or ``[…]``, and so may stand for several files."""
    return _WILD.search(text) is not None


def list_tiffs(
    source: str | PathLike[str] | Sequence[str | PathLike[str]],
) -> tuple[str, list[Path]]:
    """Find files and their order.

    Parameters
    ----------
    source : str, path, or sequence of them
        A folder: its TIFF files, without those of folders in it. A pattern of `glob.glob`, in
        which ``**`` goes through all folders. Files one by one keep the order they are given in;
        else order is natural, 2 before 10. Hidden files are left out, and those without an ending
        of TIFF where some have one.

    Returns
    -------
    name : str
        What to call the files as one image: the folder, the pattern, or of a list the first and
        last file, their number and what tells it from other lists with these.
    files : list of pathlib.Path
        Absolute.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, no file that the pattern stands for, or a file that was named
        is missing.
    NoTiffError
        If no TIFF is in the folder, or among the pattern's files.
    ValueError
        If something else than paths was given.
    """
    if not isinstance(source, str | PathLike):
        return _listed(source)
    path = _local(source)
    found: Iterable[Path]
    if path.is_dir():
        found = path.iterdir()
    elif not path.exists() and is_pattern(str(path)):
        found = map(Path, glob.iglob(str(path), recursive=True))
    elif path.exists():
        raise ValueError(f"{path} is neither a folder nor a pattern like {path.parent / '*.tif'}")
    else:
        raise not_there(path)
    names = natural_sorted(sorted(str(p) for p in found if not p.name.startswith(".")))
    files = [file for file in map(Path, names) if file.is_file()]
    tiffs = [file for file in files if file.suffix.lower() in TIFF_SUFFIXES]
    tiffs = tiffs or [file for file in files if file_kind(file) is FileKind.TIFF]
    if not tiffs and path.is_dir():
        inner = next(path.glob("*/*.tif"), None)
        hint = "" if inner is None else f" (those in its folders are {path / '**' / '*.tif'})"
        raise NoTiffError(f"{path} is a folder without TIFF files{hint}")
    if files and not tiffs:
        raise NoTiffError(f"{path} stands for {len(files)} files without a TIFF among them")
    if not tiffs:
        raise FileNotFoundError(
            f"{path} stands for no file: look at its spelling, or name the folder alone"
        )
    return str(path), tiffs


def _listed(sources: Iterable[str | PathLike[str]]) -> tuple[str, list[Path]]:
    files = [_local(source) for source in sources]
    if not files:
        raise ValueError("no files given; give at least one")
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        raise FileNotFoundError(f"{missing} is no file: leave it out, or put it there")
    first, last = files[0], files[-1]
    if len(files) == 1:
        return str(first), files
    # lists with the same ends are different images
    sign = sha256("\0".join(map(str, files)).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{first}…{last.name} ({len(files)} files, {sign})", files


def _local(source: str | PathLike[str]) -> Path:
    text = fspath(source)
    path = local_path(text)
    if path is None:
        raise ValueError(f"{text} is a URL; TIFF files are read from local disks")
    return path.absolute()


def letters_in_names(files: Sequence[Path]) -> str:
    """Axes that the numbers in file names count, for names alike but for numbers.

    ``img_t000.tif, img_t001.tif`` count T, ``plane z1.tif, plane z2.tif`` count Z: what matters
    is the word right before a number that is not the same in all names.

    Returns
    -------
    str
        Letters out of ``STCZYX``, one for each number that counts something known.
    """
    names = [re.split(r"(\d+)", file.name) for file in files]
    texts = names[0][::2]
    if any(name[::2] != texts for name in names):
        return ""
    letters = ""
    for at, text in enumerate(texts[:-1]):
        word = re.search(r"([A-Za-z]+)[^A-Za-z]*$", text)
        letter = letter_of(word.group(1)) if word else None
        if letter and len({int(name[2 * at + 1]) for name in names}) > 1:
            letters += letter
    return letters
