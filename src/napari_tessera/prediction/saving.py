"""Where a result goes and as what: checked before an image is opened or a model loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from os import PathLike

from zarr.abc.store import Store

from napari_tessera.writing import FileFormat, format_named, format_of
from napari_tessera.writing.files.formats import OME_ZARR
from napari_tessera.writing.ome.metadata import OME_VERSIONS, check_version
from napari_tessera.writing.places.target import Target, parse_target


@dataclass(frozen=True)
class SaveOptions:
    """What may be chosen of a result's form; see `predict_to_disk`.

    Parameters
    ----------
    format, compression : str, optional
        Name of a format, and one of its compressions; default: what the ending says, its own.
    ome_version : {"0.5", "0.4"}
        Of OME-Zarr.
    chunks : int or sequence of int, optional
        Chunk sizes of an OME-Zarr along its last axes, or one for Y and X.
    """

    format: str | None = None
    compression: str | None = None
    ome_version: str = OME_VERSIONS[0]
    chunks: int | Sequence[int] | None = None

    def of(self, path: str | PathLike[str] | Store) -> Output:
        """Resolve what is written at a place. Nothing is looked up there.

        Raises
        ------
        ValueError
            If the ending, the format or its compression is unknown, or an option is given that the
            format has not.
        TypeError
            If it is no place at all.
        """
        if not isinstance(path, str | PathLike):
            # stores, and what parse_target has words for
            form = _of_store(self.format)
        else:
            form = format_of(path, self.format)
        target = parse_target(path, None if form is OME_ZARR else form.name)  # type: ignore[arg-type]
        if form is OME_ZARR:
            check_version(self.ome_version)
        else:
            for option in fields(self)[2:]:
                value = getattr(self, option.name)
                if value != option.default:
                    raise ValueError(
                        f"{option.name} {value} is for OME-Zarr, and {target.name} is "
                        f"{form.label}: leave it out, or use .ome.zarr"
                    )
        return Output(target, form, form.compression(self.compression))


@dataclass(frozen=True)
class Output:
    """What is written, and where.

    Parameters
    ----------
    target : Target
        The place.
    form : FileFormat
        The format.
    compression : str
        Name of its compression.
    """

    target: Target
    form: FileFormat
    compression: str

    @property
    def resumable(self) -> bool:
        """Whether a run that was stopped can be gone on with there."""
        return self.target.is_zarr and not self.target.zipped


def _of_store(name: str | None) -> FileFormat:
    """OME-Zarr, as nothing else goes into a store of zarr."""
    form = OME_ZARR if name is None else format_named(name)
    if form is not OME_ZARR:
        raise ValueError(f"a store of zarr holds OME-Zarr, not {form.label}: give a path")
    return form
