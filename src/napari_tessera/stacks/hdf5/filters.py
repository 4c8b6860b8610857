"""Compression filters that an HDF5 dataset needs and h5py may not have."""

from __future__ import annotations

from importlib import import_module

import h5py

_FILTERS = {
    305: "LZO",
    307: "bzip2",
    32000: "LZF",
    32001: "Blosc",
    32004: "LZ4",
    32008: "bitshuffle",
    32013: "ZFP",
    32015: "Zstandard",
    32026: "Blosc2",
}
"""Names of filters by the number under which the HDF Group lists them."""


def check_filters(dataset: h5py.Dataset, source: str) -> None:
    """Check that whatever a dataset is compressed with can be undone.

    Raises
    ------
    ValueError
        If a filter is missing; the message names it.
    """
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    missing = [found for found in filters if not h5py.h5z.filter_avail(found[0])]
    if missing and _more_filters():
        missing = [found for found in filters if not h5py.h5z.filter_avail(found[0])]
    for number, _, _, text in missing:
        name = _FILTERS.get(number) or text.decode(errors="replace") or "a filter"
        raise ValueError(
            f"{source} is compressed with {name} (HDF5 filter {number}), which h5py does not "
            "have: pip install hdf5plugin"
        )


def _more_filters() -> bool:
    """Make the filters of hdf5plugin known to HDF5, where it is installed."""
    try:
        import_module("hdf5plugin")
    except ImportError:
        return False
    return True
