"""Where the result of each of many images goes: no two to one place, none onto an input."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath

from napari_tessera.prediction.several.finding import OURS, Found
from napari_tessera.writing.files.formats import OME_ZARR, FileFormat
from napari_tessera.writing.places.endings import ENDINGS

SKIP, RESUME, OVERWRITE, RENAME, REFUSE = "skip", "resume", "overwrite", "rename", "refuse"
IF_EXISTS = (RESUME, SKIP, OVERWRITE, RENAME, REFUSE)
"""What to do where there is something already."""

ADDED = "_denoised"
"""What names of results have after those of their images."""


@dataclass(frozen=True)
class ResultPlace:
    """Where one result goes.

    Parameters
    ----------
    path : pathlib.Path
        The file, or the folder of the OME-Zarr image.
    plate : pathlib.Path or None
        The plate that it lies in, which is made with it.
    """

    path: Path
    plate: Path | None = None


def result_places(
    images: Sequence[Found],
    folder: Path,
    form: FileFormat,
    *,
    keep_folders: bool = True,
    taken: Callable[[Path], bool] | None = None,
) -> list[ResultPlace]:
    """Choose names for results.

    Images of one folder keep its name below the output folder; each result has the name of its
    image and ``_denoised``. Images whose names differ by their ending alone, or on some disks by
    nothing, get the ending into the name, or a number. A plate saved as OME-Zarr stays a plate;
    in other formats it becomes a folder with a file for each field, ``E_07_0_denoised.tif``.

    Parameters
    ----------
    images : sequence of Found
        The images. A name depends on the other images, but not on what there is on disk.
    folder : pathlib.Path
        The output folder.
    form : FileFormat
        What is written.
    keep_folders : bool
        Whether folders below the one that was searched are made anew.
    taken : callable, optional
        Tells whether a place is to be left alone: then the first one with a free number is taken.

    Returns
    -------
    list of ResultPlace
        In the order of the images.
    """
    # the fields of a plate that stays one have one place together
    wholes = [image.plate if form is OME_ZARR and image.plate else "" for image in images]
    keys = [whole or image.source for image, whole in zip(images, wholes, strict=True)]
    roots = {
        key: _root(image, keep_folders, plate=bool(whole))
        for key, image, whole in zip(keys, images, wholes, strict=True)
    }
    names = zip(roots, _apart(list(roots.values())), strict=True)
    chosen = {key: _free(folder / f"{name}{ADDED}{form.ending}", taken) for key, name in names}
    return [
        ResultPlace(chosen[key] / image.inside, chosen[key]) if whole else ResultPlace(chosen[key])
        for key, image, whole in zip(keys, images, wholes, strict=True)
    ]


Root = tuple[PurePosixPath, str]
"""Folder and name, with its ending, that a result is named after."""


def _root(image: Found, keep_folders: bool, *, plate: bool) -> Root:
    """What a result is named after: a file; a store with a place in it; of a plate the plate."""
    parts = image.relative.parts
    depth = len(PurePosixPath(image.inside).parts) if image.inside else 0
    outer = parts[: len(parts) - depth]
    folder = PurePosixPath(*outer[:-1]) if keep_folders else PurePosixPath()
    name = outer[-1]
    if plate or not image.inside:
        return folder, name
    inside = "_".join(PurePosixPath(image.inside).parts)
    if image.plate:
        return folder / split_name(name)[0], inside
    stem, ending = split_name(name)
    return folder, f"{stem}_{inside}{ending}"


def split_name(name: str) -> tuple[str, str]:
    """A file's name without its ending, and that: ``.ome.tif`` as a whole; ``.5`` is none."""
    folded = name.casefold()
    ending = max((known for known in ENDINGS if folded.endswith(known)), key=len, default="")
    if not ending:
        match = re.search(r"\.[A-Za-z][A-Za-z0-9]{0,5}$", name)
        ending = match.group() if match else ""
    stem = name[: len(name) - len(ending)]
    return (stem, name[len(stem) :]) if stem else (name, "")


def _apart(roots: Sequence[Root]) -> Iterable[str]:
    """Paths without ending, no two of which a disk could take for one."""
    plain = [_joined(folder, split_name(name)[0]) for folder, name in roots]
    how_often = Counter(map(_as_on_disk, plain))
    used: set[str] = set()
    for (folder, name), path in zip(roots, plain, strict=True):
        if how_often[_as_on_disk(path)] > 1:
            path = _joined(folder, name.replace(".", "_"))
        numbered = path
        numbers = count(2)
        while _as_on_disk(numbered) in used or (
            numbered != path and _as_on_disk(numbered) in how_often
        ):
            numbered = f"{path}_{next(numbers)}"
        used.add(_as_on_disk(numbered))
        yield numbered


def _joined(folder: PurePosixPath, name: str) -> str:
    return (folder / name).as_posix()


def _as_on_disk(name: str) -> str:
    """What of a name every disk tells apart: some know no upper case, some compose accents."""
    return unicodedata.normalize("NFC", name.casefold())


def _free(path: Path, taken: Callable[[Path], bool] | None) -> Path:
    if taken is None or not taken(path):
        return path
    stem, ending = split_name(path.name)
    numbered = (path.with_name(f"{stem}_{number}{ending}") for number in count(1))
    return next(one for one in numbered if not taken(one))


def onto_inputs(images: Sequence[Found], places: Sequence[ResultPlace]) -> Mapping[int, str]:
    """Results that would replace an image, lie in one, or hold one; by number, and why not.

    Each result is checked against its own image where it is written; here against the others.
    """
    # results of earlier runs may be replaced, where that is asked for
    kept = [image for image in images if image.problem != OURS]
    inputs = {Path(image.source) for image in kept}
    inputs |= {Path(image.plate) for image in kept if image.plate}
    around = {parent for path in inputs for parent in path.parents}
    found = {}
    for number, place in enumerate(places):
        path = place.plate or place.path
        if path in inputs or path in around or any(parent in inputs for parent in path.parents):
            found[number] = f"{path.name} would replace an image: choose another output folder"
    return found
