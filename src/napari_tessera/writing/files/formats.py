"""File formats that results are saved in, and which of them a name asks for."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from napari_tessera.writing.places.endings import ending_of, endings_of, last_part, unknown_ending

HALF_FLOAT = "float16"
"""Written as float32 where a format has no such type: nothing is lost."""


@dataclass(frozen=True)
class FileFormat:
    """A kind of file.

    Parameters
    ----------
    name : str
        For code and the command line: ``"ome-zarr"``.
    label : str
        For people: ``"OME-Zarr"``.
    endings : tuple of str
        Endings of file names, the usual one first, in lower case.
    compressions : tuple of str
        What it can be compressed with, ``"none"`` among them.
    default_compression : str
        The one that is used unless another one is asked for.
    while_running : bool
        Whether it is written while tiles are predicted; else when all is done.
    dtypes : tuple of str
        Data types that it holds.
    otherwise : str
        What to do with another data type: the end of an error message.
    """

    name: str
    label: str
    endings: tuple[str, ...]
    compressions: tuple[str, ...]
    default_compression: str
    while_running: bool
    dtypes: tuple[str, ...]
    otherwise: str

    @property
    def ending(self) -> str:
        """The usual ending."""
        return self.endings[0]

    def stored_dtype(self, dtype: DTypeLike) -> np.dtype[Any]:
        """Data type that pixels get in the file: their own, float32 for float16 that it lacks.

        Raises
        ------
        ValueError
            If the format holds no such type, with the way out. Better asked before a run.
        """
        given = np.dtype(dtype).newbyteorder("=")
        if given.name in self.dtypes:
            return given
        if given.name == HALF_FLOAT:
            return np.dtype(np.float32)
        raise ValueError(f"{self.label} holds no {given}: {self.otherwise}")

    def compression(self, wanted: str | None = None) -> str:
        """Name of the compression that is used: the default one where none is asked for.

        Raises
        ------
        ValueError
            If the format has no such compression.
        """
        name = self.default_compression if wanted is None else wanted
        if name not in self.compressions:
            raise ValueError(
                f"{self.label} has no compression {name!r}: use {_listed(self.compressions)}"
            )
        return name


_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32")
_ALL = (*_INTEGERS, "int64", "uint64", "float16", "float32", "float64")

OME_ZARR = FileFormat(
    name="ome-zarr",
    label="OME-Zarr",
    endings=endings_of("zarr", "zip"),
    compressions=("zstd", "lz4", "gzip", "none"),
    default_compression="zstd",
    while_running=True,
    dtypes=_ALL,
    otherwise="write float32, uint8 or uint16",
)
"""OME-Zarr, a folder; as ``.zarr.zip`` one file."""

OME_TIFF = FileFormat(
    name="ome-tiff",
    label="OME-TIFF",
    endings=endings_of("ome-tiff"),
    compressions=("zlib", "lzw", "none"),
    default_compression="zlib",
    while_running=False,
    dtypes=(*_INTEGERS, "float32", "float64"),
    otherwise="write float32, or choose .ome.zarr",
)
"""Tiled TIFF with a pyramid and OME-XML."""

TIFF = FileFormat(
    name="tiff",
    label="TIFF",
    endings=endings_of("tiff"),
    compressions=("none",),
    default_compression="none",
    while_running=False,
    dtypes=("uint8", "uint16", "float32"),
    otherwise="ImageJ reads uint8, uint16 and float32; write one of these, or choose .ome.tif",
)
"""The TIFF that ImageJ itself writes: a hyperstack, not compressed."""

NPY = FileFormat(
    name="npy",
    label="npy",
    endings=endings_of("npy"),
    compressions=("none",),
    default_compression="none",
    while_running=False,
    dtypes=_ALL,
    otherwise="write float32, uint8 or uint16",
)
"""NumPy's own file: pixels in the image's own axes, and nothing else."""

FORMATS = (OME_ZARR, OME_TIFF, TIFF, NPY)
"""All formats, as people are offered them."""


def format_of(path: str | PathLike[str], name: str | None = None) -> FileFormat:
    """Find the format that a file name asks for.

    Parameters
    ----------
    path : str or path-like
        A path or URL; only its ending counts, in any case.
    name : str, optional
        Name or label of a format, in any case. It decides; the ending must be one of it, or
        ``.tif``, ``.tiff`` for OME-TIFF, which most programs know by its content.

    Returns
    -------
    FileFormat
        One of `FORMATS`.

    Raises
    ------
    ValueError
        If the ending is unknown or of another format, or no format has that name.
    """
    ending = ending_of(path)
    own = next((known for known in FORMATS if ending in known.endings), None)
    if name is None:
        if own is None:
            raise unknown_ending(path)
        return own
    chosen = format_named(name)
    if own is chosen or (chosen is OME_TIFF and own is TIFF):
        return chosen
    raise ValueError(
        f"output {last_part(path)!r}: this is no ending of {chosen.label}; use "
        f"{_listed(chosen.endings)}"
    )


def format_named(name: str) -> FileFormat:
    """Find a format by its name or label, in any case.

    Raises
    ------
    ValueError
        If there is none.
    """
    for known in FORMATS:
        if name.casefold() in (known.name, known.label.casefold()):
            return known
    raise ValueError(f"no format {name!r}: use {_listed([known.name for known in FORMATS])}")


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
