"""Images in folders, plates and lists, each looked at as far as a list of them tells."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import prod
from os import PathLike
from pathlib import Path, PurePosixPath
from threading import Event

import zarr
from tifffile import natural_sorted

from napari_tessera.home_paths import from_home
from napari_tessera.prediction.several.report import REPORT_NAMES, read_report
from napari_tessera.stacks import open_stack, read_origins
from napari_tessera.stacks.checks import not_there, shortened
from napari_tessera.stacks.closing import close_stack
from napari_tessera.stacks.opening.file_kinds import FileKind, file_kind, promised_kind
from napari_tessera.stacks.zarr.contents import image_paths
from napari_tessera.stacks.zarr.ngff import ome_attributes, read_multiscale
from napari_tessera.stacks.zarr.nodes import attributes_of, is_zarr_folder, quiet_zarr
from napari_tessera.writing import read_unfinished

_OPENED = (FileKind.TIFF, FileKind.HDF5, FileKind.NPY, FileKind.ZARR_ZIP)

OURS = "a result of napari-tessera"
"""Why results of earlier runs are left out."""

_REPORTS_ABOVE = 4
"""Folders above the one that is searched in which a report is looked for."""

_MICROSCOPES = frozenset({".czi", ".dv", ".lif", ".nd2", ".oib", ".oif", ".r3d", ".vsi"})
"""Endings of files whose kind only their own reader knows."""


@dataclass(frozen=True)
class Found:
    """One image.

    Parameters
    ----------
    source : str
        What `open_stack` takes.
    relative : pathlib.PurePosixPath
        Where it lies below what was asked for; its name alone for a file that was named.
    axes, shape, dtype : str, tuple of int, str
        Of the image as it opens; empty where it does not.
    problem : str
        Why it is left out, in one line; empty where it is not.
    damaged : bool
        Whether that is because what should be an image cannot be opened.
    plate : str
        Folder of the HCS plate that it is of; else empty.
    inside : str
        Of an image in a Zarr store: its path there, ``"E/07/0"``.
    """

    source: str
    relative: PurePosixPath
    axes: str = ""
    shape: tuple[int, ...] = field(default=())
    dtype: str = ""
    problem: str = ""
    damaged: bool = False
    plate: str = ""
    inside: str = ""

    @property
    def n_pixels(self) -> int:
        """Pixels, channels counted."""
        return prod(self.shape) if self.shape else 0


@dataclass(frozen=True)
class _Place:
    """Something that may be an image."""

    source: str
    relative: PurePosixPath
    plate: str = ""
    inside: str = ""
    problem: str = ""


def find_images(
    sources: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    axes: str | None = None,
    leave_out: str | PathLike[str] | None = None,
    found: Callable[[Found], None] | None = None,
    cancel: Event | None = None,
) -> list[Found]:
    """Find images, and say of each what it is, or why it cannot be taken.

    Parameters
    ----------
    sources : str, path, or sequence of them
        Files; folders, which are searched with all folders in them, in natural order (2 before
        10), hidden ones left out; OME-Zarr images, plates, wells and other Zarr groups.
    axes : str, optional
        Axes of all of them; by default what each says of itself.
    leave_out : str or path, optional
        A folder that is not looked into: where results go.
    found : callable, optional
        Called with each `Found` as soon as it is looked at.
    cancel : threading.Event, optional
        Set it to stop looking.

    Returns
    -------
    list of Found
        Those that are left out too.

    Raises
    ------
    FileNotFoundError
        If one of the sources does not exist.
    """
    listed = [sources] if isinstance(sources, str | PathLike) else list(sources)
    paths = [absolute(source) for source in listed]
    for path in paths:
        if not path.exists():
            raise not_there(path)
    out = None if leave_out is None else absolute(leave_out)
    taken: dict[frozenset[Path], str] = {}
    seen: set[str] = set()
    images: list[Found] = []
    for path in paths:
        for place in _places(path, out):
            if cancel is not None and cancel.is_set():
                return images
            if place.source in seen:
                continue
            seen.add(place.source)
            image = _look(place, axes, taken)
            images.append(image)
            if found is not None:
                found(image)
    return images


def absolute(path: str | PathLike[str]) -> Path:
    """A path that means the same wherever the process works, ``~`` as the home folder.

    ``~NAME`` stays as it is where nobody of that name is known.
    """
    return from_home(path).absolute()


def _places(path: Path, out: Path | None) -> Iterator[_Place]:
    if path.is_dir() and not is_zarr_folder(path):
        yield from _in_folder(path, out)
    elif path.is_dir():
        yield from _in_zarr(path, PurePosixPath(path.name))
    else:
        yield _Place(str(path), PurePosixPath(path.name), problem=_file_problem(path))


def _in_folder(root: Path, out: Path | None) -> Iterator[_Place]:
    # a report names what lies in the folders below its own, too
    results = set().union(*map(_results, root.parents[:_REPORTS_ABOVE]))
    unread: list[OSError] = []
    for name, folders, files in os.walk(root, onerror=unread.append):
        folder = Path(name)
        results |= _results(folder)
        inner = natural_sorted([f for f in folders if not f.startswith(".")])
        stores = {f for f in inner if is_zarr_folder(folder / f)}
        folders[:] = [f for f in inner if f not in stores and folder / f != out]
        shown = natural_sorted([f for f in (*files, *stores) if not f.startswith(".")])
        for child in shown:
            path = folder / child
            relative = PurePosixPath(path.relative_to(root).as_posix())
            if str(path) in results:
                yield _Place(str(path), relative, problem=OURS)
            elif child in stores:
                yield from _in_zarr(path, relative)
            else:
                yield _Place(str(path), relative, problem=_file_problem(path))
    for error in unread:
        path = Path(error.filename)
        inside = path.relative_to(root).as_posix() if path != root else root.name or str(root)
        yield _Place(str(path), PurePosixPath(inside), problem=_unreadable(error))


def _results(folder: Path) -> set[str]:
    """What an earlier run over many files has written into a folder, and its report."""
    report = read_report(folder)
    if report is None:
        return set()
    return {*(str(folder / name) for name in REPORT_NAMES), *report.outputs}


def _file_problem(path: Path) -> str:
    """Why a file in a folder is no image, as far as its first bytes and its name tell."""
    try:
        kind = file_kind(path)
    except OSError as error:
        return _unreadable(error)
    if kind in _OPENED or path.suffix.lower() in _MICROSCOPES:
        return ""
    if kind is FileKind.OTHER and promised_kind(path) is not None:
        # damaged: opening it says so in better words
        return ""
    return kind.value


def _unreadable(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error_line(error)}"


def _in_zarr(path: Path, relative: PurePosixPath) -> Iterator[_Place]:
    """The image that a Zarr folder is, or those in it; of a plate those of all its wells."""
    try:
        with quiet_zarr():
            node = zarr.open(path, mode="r", use_consolidated=False)
            if isinstance(node, zarr.Array) or read_multiscale(attributes_of(node)) is not None:
                problem = OURS if read_unfinished(path) is not None else ""
                yield _Place(str(path), relative, problem=problem)
                return
            names = list(image_paths(node))
            plate = str(path) if "plate" in ome_attributes(attributes_of(node)) else ""
    except Exception as error:
        yield _Place(str(path), relative, problem=error_line(error))
        return
    if not names:
        yield _Place(str(path), relative, problem="a Zarr group without an image")
    for name in names:
        child = path / name
        problem = OURS if read_unfinished(child) is not None else ""
        yield _Place(str(child), relative / name, plate, name, problem)


def _look(place: _Place, axes: str | None, taken: dict[frozenset[Path], str]) -> Found:
    """Open an image for what it says of itself."""
    image = Found(place.source, place.relative, plate=place.plate, inside=place.inside)
    if place.problem:
        return replace(image, problem=place.problem)
    try:
        stack = open_stack(place.source, axes)
    except Exception as error:
        return replace(image, problem=error_line(error), damaged=True)
    try:
        files = frozenset(read_origins(stack))
        # the files of one OME-TIFF each open as the whole of it
        first = taken.setdefault(files, place.source) if len(files) > 1 else place.source
        if first != place.source:
            return replace(image, problem=f"part of {Path(first).name}")
        return replace(
            image,
            axes=stack.original_axes,
            shape=tuple(stack.original_data_shape),
            dtype=str(stack.data_dtype),
        )
    finally:
        with suppress(Exception):
            close_stack(stack)


def error_line(error: BaseException) -> str:
    """An error as one line that people can read."""
    text = " ".join(str(error).strip().partition("\n")[0].split())
    return shortened(text or type(error).__name__)
