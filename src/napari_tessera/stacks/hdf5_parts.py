"""The parts of a virtual HDF5 dataset, and where HDF5 looks for the files that hold them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py

_OWN_FILE = "."
_ESCAPE = re.compile(r"%([b%])")


@dataclass(frozen=True)
class Part:
    """A dataset whose pixels appear in a virtual one.

    Parameters
    ----------
    file_name : str
        Name of its file as it is stored; "" for the file of the virtual dataset.
    name : str
        Path of the dataset in that file.
    low, high : tuple of int
        First and last index, for each axis, of the smallest box of the virtual dataset that
        holds the part.
    """

    file_name: str
    name: str
    low: tuple[int, ...]
    high: tuple[int, ...]


def parts_of(dataset: h5py.Dataset) -> Iterator[Part]:
    """Parts of a virtual dataset; none of another one.

    A name with ``%b`` stands for one part per block along the axis that has no end, as many as
    the dataset is long at present; ``%%`` for a percent sign (H5Pset_virtual).
    """
    for entry in dataset.virtual_sources() if dataset.is_virtual else ():
        low, high = _bounds(entry.vspace, dataset.shape)
        names = (entry.file_name, entry.dset_name)
        axis = _endless_axis(entry.vspace)
        if axis is None or not any("b" in _ESCAPE.findall(name) for name in names):
            yield _part(names, 0, low, high)
            continue
        start, stride, _, block = (sizes[axis] for sizes in entry.vspace.get_regular_hyperslab())
        for number, begin in enumerate(range(start, dataset.shape[axis], stride)):
            one_low, one_high = list(low), list(high)
            one_low[axis], one_high[axis] = begin, begin + block - 1
            yield _part(names, number, tuple(one_low), tuple(one_high))


def find_file(folder: Path, name: str) -> Path | None:
    """Where HDF5 finds a file that another one names: beside it, then where we are; or None."""
    candidates = (folder / name, Path(name))
    return next((path.resolve() for path in candidates if path.is_file()), None)


def _part(names: tuple[str, str], number: int, low: tuple[int, ...], high: tuple[int, ...]) -> Part:
    file_name, name = (
        _ESCAPE.sub(lambda found: str(number) if found[1] == "b" else "%", text) for text in names
    )
    return Part("" if file_name == _OWN_FILE else file_name, name, low, high)


def _endless_axis(space: h5py.h5s.SpaceID) -> int | None:
    """The axis along which a selection goes on for as long as its sources do."""
    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        return None
    _, _, counts, blocks = space.get_regular_hyperslab()
    sizes = enumerate(zip(counts, blocks, strict=True))
    return next((axis for axis, both in sizes if h5py.h5s.UNLIMITED in both), None)


def _bounds(
    space: h5py.h5s.SpaceID, shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if _endless_axis(space) is None:
        low, high = space.get_select_bounds()
        return tuple(map(int, low)), tuple(map(int, high))
    starts, _, _, _ = space.get_regular_hyperslab()
    return tuple(map(int, starts)), tuple(size - 1 for size in shape)
