"""Functions that write an image into a file: a person's own, or one that comes with this."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import DTypeLike, NDArray

from napari_tessera.writing.files.formats import NPY, OME_TIFF, OME_ZARR, TIFF, FileFormat
from napari_tessera.writing.files.imagej_tiff import write_imagej_tiff
from napari_tessera.writing.files.npy import write_npy
from napari_tessera.writing.files.ome_tiff import write_ome_tiff
from napari_tessera.writing.files.ome_zarr import write_ome_zarr

WriteFunc = Callable[..., object]
"""Called as ``write_func(file_path=..., img=..., **kwargs)``."""


class FileWriter:
    """Calls a write function with what it takes.

    Parameters
    ----------
    write_func : callable
        Called with ``file_path`` (`pathlib.Path`), ``img`` (`numpy.ndarray`), ``kwargs``, and what
        is `known` of an image where its signature names that and ``kwargs`` do not.
    kwargs : mapping, optional
        Further arguments for each call.

    Raises
    ------
    TypeError
        If the function cannot be called so, which would else come out after the prediction.
    """

    def __init__(self, write_func: WriteFunc, kwargs: Mapping[str, Any] | None = None) -> None:
        self._write_func = write_func
        self._kwargs = dict(kwargs or {})
        self._takes: list[str] = []
        if not callable(write_func):
            raise TypeError(f"write_func {' '.join(repr(write_func).split())} is no function")
        try:
            signature = inspect.signature(write_func)
        except (TypeError, ValueError):
            # of compiled functions nothing is known
            return
        self._takes = [name for name in _named(signature) if name not in self._kwargs]
        try:
            known = dict.fromkeys(self._takes)
            signature.bind(file_path=None, img=None, **known, **self._kwargs)
        except TypeError as error:
            name = getattr(write_func, "__name__", type(write_func).__name__)
            raise TypeError(
                f"write_func {name} cannot be called as {name}(file_path=…, img=…"
                f"{''.join(f', {key}=…' for key in self._kwargs)}): {error}"
            ) from None

    def check(self, dtype: DTypeLike) -> None:
        """Raise where the format is known and does not hold such pixels as asked for.

        Raises
        ------
        ValueError
            If it holds no such type, or has no such compression.
        """
        known = _format_of(self._write_func)
        if known is not None:
            known.stored_dtype(dtype)
            known.compression(self._kwargs.get("compression"))

    def write(self, file_path: Path, img: NDArray[Any], **known: Any) -> None:
        """Write one image; the folder is made.

        Parameters
        ----------
        file_path : pathlib.Path
            The file.
        img : numpy.ndarray
            The image.
        **known
            A value for each of `KNOWN`.

        Raises
        ------
        Exception
            Whatever the function raises. A file that it began is deleted then.
        """
        file_path.parent.mkdir(parents=True, exist_ok=True)
        was_there = os.path.lexists(file_path)
        given = {name: known[name] for name in self._takes}
        try:
            self._write_func(file_path=file_path, img=img, **given, **self._kwargs)
        except BaseException:
            if not was_there and file_path.is_file():
                file_path.unlink()
            raise


KNOWN = ("axes", "metadata", "made_by", "overwrite")
"""Arguments that are given to functions that name them: the axes of ``img``, an `ImageMetadata` or
None, what made it (JSON-able) or None, and whether what is there may be replaced."""


def _format_of(write_func: WriteFunc) -> FileFormat | None:
    """What a function writes that comes with this; None of a person's own."""
    while isinstance(write_func, partial):
        write_func = write_func.func
    formats: list[tuple[WriteFunc, FileFormat]] = [
        (write_ome_zarr, OME_ZARR),
        (write_ome_tiff, OME_TIFF),
        (write_imagej_tiff, TIFF),
        (write_npy, NPY),
    ]
    return next((known for function, known in formats if function is write_func), None)


def _named(signature: inspect.Signature) -> list[str]:
    """Which of `KNOWN` a function names; what ``**kwargs`` would take is not named."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = signature.parameters
    return [name for name in KNOWN if name in parameters and parameters[name].kind in kinds]
