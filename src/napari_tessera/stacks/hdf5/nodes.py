"""Opening HDF5 files, and finding in them the dataset that a person means."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import h5py

from napari_tessera.stacks.checks import error_line, not_there
from napari_tessera.stacks.hdf5.links import NoRegularFileError, node_at
from napari_tessera.stacks.protocol import StackReadError

_MOST_OBJECTS = 10_000
_LISTED = 8
_NUMBERS = "biuf"
_TRUNCATED = re.compile(r"truncated file: eof = (\d+), .*stored_eof = (\d+)")


def open_hdf5(path: Path) -> h5py.File:
    """Open a file for reading, beside a program that writes to it if that one allows it (SWMR).

    The locks are those of HDF5's own settings (``HDF5_USE_FILE_LOCKING``): another choice would
    clash with whatever else in this process has the file open.

    Raises
    ------
    FileNotFoundError, PermissionError, IsADirectoryError
        As for any file.
    StackReadError
        If it is no HDF5 file, damaged, or open for writing elsewhere.
    """
    try:
        return h5py.File(path, "r")
    except FileNotFoundError:
        raise not_there(path) from None
    except PermissionError:
        raise
    except IsADirectoryError:
        raise IsADirectoryError(f"{path} is a folder, not an HDF5 file") from None
    except OSError as error:
        problem = " ".join(str(error).split())
        written_to = "lock file" in problem or "already open for write" in problem
        if written_to:
            try:
                return h5py.File(path, "r", swmr=True)
            except OSError:
                pass
        raise StackReadError(f"{path} {_problem(problem, written_to)}") from error


def _problem(text: str, written_to: bool) -> str:
    cut_off = _TRUNCATED.search(text)
    if cut_off:
        end, wanted = cut_off.groups()
        return (
            f"is cut off: HDF5 should end at byte {wanted}, the file ends at byte {end}; copy it "
            "again"
        )
    if "h5clear" in text:
        return (
            "is open for writing in another program, or was when that one crashed: close it "
            "there, or free the file with h5clear -s"
        )
    if written_to:
        return "is open for writing in another program: close it there"
    if "signature not found" in text:
        return "is not an HDF5 file"
    return f"cannot be opened as HDF5: {text}"


def find_dataset(file: h5py.File, path: Path, name: str | None) -> str:
    """Path in the file of the dataset of a name, or of the only image below a group's name.

    Parameters
    ----------
    file : h5py.File
        An open file.
    path : pathlib.Path
        What messages call it.
    name : str or None
        Path of a dataset or group in the file; None and ``"/"`` for the whole file.

    Raises
    ------
    FileNotFoundError
        If nothing has this name; the message says what is there.
    ValueError
        If there is no image, or several; the message lists them.
    StackReadError
        If the file is damaged.
    """
    inner = "/" + (name or "").strip("/")
    try:
        node = node_at(file, inner)
    except KeyError as error:
        if file.get(inner, getlink=True) is not None and "doesn't exist" not in str(error):
            raise FileNotFoundError(
                f"{path}#{inner} is a link to something that is not there: {error_line(error)}"
            ) from None
        raise FileNotFoundError(f"{path} has no {inner!r}; {_contents(file, path)}") from None
    except NoRegularFileError:
        raise
    except Exception as error:
        raise StackReadError(f"{path}#{inner} cannot be read: {error_line(error)}") from error
    if isinstance(node, h5py.Dataset):
        return inner
    if not isinstance(node, h5py.Group):
        raise ValueError(f"{path}#{inner} is a data type, not an image; {_contents(file, path)}")
    try:
        refused: list[str] = []
        images = [name for name, _ in _images(node, inner, refused)]
    except Exception as error:
        raise StackReadError(f"{path}#{inner} cannot be read: {error_line(error)}") from error
    if len(images) == 1:
        return images[0]
    if refused and not images:
        raise StackReadError(refused[0])
    where = f"{path}#{inner}" if inner != "/" else str(path)
    count = f"{len(images)} images" if images else "no image (numbers along two axes or more)"
    raise ValueError(f"{where} holds {count}; {_contents(node, path, inner)}")


def _contents(group: h5py.Group, path: Path, inner: str = "/") -> str:
    """What a group holds, the largest first, as part of an error message."""
    images = sorted(_images(group, inner), key=lambda item: -int(item[1].size))
    if images:
        listed = ", ".join(_described(*item) for item in images[:_LISTED])
        more = ", …" if len(images) > _LISTED else ""
        return f"name one of its datasets, e.g. {path}#{images[0][0]}; it holds {listed}{more}"
    others = [_described(*item) for item in islice(_datasets(group, inner), _LISTED)]
    return f"it holds {', '.join(others) or 'no dataset'}"


def _described(name: str, dataset: h5py.Dataset) -> str:
    if dataset.shape is None:
        return f"{name} (empty)"
    shape = "×".join(map(str, dataset.shape)) or "scalar"
    return f"{name} ({shape} {_dtype_text(dataset)})"


def _dtype_text(dataset: h5py.Dataset) -> str:
    try:
        dtype = dataset.dtype
    except TypeError as error:
        return error_line(error)
    if h5py.check_string_dtype(dtype) is not None:
        return "text"
    return "compound" if dtype.names else str(dtype)


def _images(
    group: h5py.Group, inner: str, refused: list[str] | None = None
) -> Iterator[tuple[str, h5py.Dataset]]:
    for name, dataset in _datasets(group, inner, refused):
        if dataset.shape is None or len(dataset.shape) < 2 or 0 in dataset.shape:
            continue
        try:
            kind = dataset.dtype.kind
        except TypeError:
            # a type that NumPy does not have
            continue
        if kind in _NUMBERS:
            yield name, dataset


def _datasets(
    group: h5py.Group, inner: str, refused: list[str] | None = None
) -> Iterator[tuple[str, h5py.Dataset]]:
    """The datasets below a group, each once, links followed; broken links are left out.

    Why links to what is no regular file are left out is added to ``refused``.
    """
    waiting = deque([(inner.rstrip("/"), group)])
    seen: set[tuple[str, Any]] = set()
    while waiting and len(seen) < _MOST_OBJECTS:
        within, parent = waiting.popleft()
        for name in parent:
            try:
                node = node_at(parent, name)
            except (KeyError, OSError) as error:
                if refused is not None and isinstance(error, NoRegularFileError):
                    refused.append(str(error))
                continue
            key = (node.file.filename, h5py.h5o.get_info(node.id).addr)
            if key in seen:
                continue
            seen.add(key)
            if isinstance(node, h5py.Dataset):
                yield f"{within}/{name}", node
            elif isinstance(node, h5py.Group):
                waiting.append((f"{within}/{name}", node))
