"""The parts of a virtual HDF5 dataset, each with the file and dataset that hold it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import h5py

from napari_tessera.stacks.hdf5.links import NUMBER, endless_axis, with_number

_OWN_FILE = "."


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
        axis = endless_axis(entry.vspace)
        if axis is None or not any("b" in NUMBER.findall(name) for name in names):
            yield _part(names, 0, low, high)
            continue
        start, stride, _, block = (sizes[axis] for sizes in entry.vspace.get_regular_hyperslab())
        for number, begin in enumerate(range(start, dataset.shape[axis], stride)):
            one_low, one_high = list(low), list(high)
            one_low[axis], one_high[axis] = begin, begin + block - 1
            yield _part(names, number, tuple(one_low), tuple(one_high))


def _part(names: tuple[str, str], number: int, low: tuple[int, ...], high: tuple[int, ...]) -> Part:
    file_name, name = (with_number(text, number) for text in names)
    return Part("" if file_name == _OWN_FILE else file_name, name, low, high)


def _bounds(
    space: h5py.h5s.SpaceID, shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if endless_axis(space) is None:
        low, high = space.get_select_bounds()
        return tuple(map(int, low)), tuple(map(int, high))
    starts, _, _, _ = space.get_regular_hyperslab()
    return tuple(map(int, starts)), tuple(size - 1 for size in shape)
