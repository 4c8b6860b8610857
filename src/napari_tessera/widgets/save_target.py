"""Where a run saves, decided before it starts."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from napari_tessera.widgets.origins import OpenLayer
from napari_tessera.widgets.place_problem import BUSY, KEPT, MISSING, PlaceError
from napari_tessera.widgets.place_report import is_taken, kept_because, who_writes
from napari_tessera.widgets.request import SaveTarget
from napari_tessera.widgets.save_names import next_free
from napari_tessera.writing import WriteTilesZarr
from napari_tessera.writing.files.formats import OME_ZARR, FileFormat
from napari_tessera.writing.places.checks import check_place
from napari_tessera.writing.places.replaceable import enclosing_store
from napari_tessera.writing.stored.stored_run import read_unfinished


@dataclass(frozen=True)
class ResolvedTarget:
    """Where to save and how, and what to do with what is there.

    Parameters
    ----------
    path : Path
        OME-Zarr folder or file.
    file_format : FileFormat, default `OME_ZARR`
        What it is.
    compression : str, default "zstd"
        One of the format's.
    resume : bool
        Go on with the run of ours that is there.
    overwrite : bool
        Replace what is there.
    """

    path: Path
    file_format: FileFormat = OME_ZARR
    compression: str = OME_ZARR.default_compression
    resume: bool = False
    overwrite: bool = False

    @property
    def while_running(self) -> bool:
        """Whether it is written while tiles are predicted; else when all is done."""
        return self.file_format.while_running


def resolve_target(
    path: Path,
    save: SaveTarget,
    source: str | Path | Sequence[str | Path] | None = None,
    shown_by: Callable[[Path], str] = lambda path: "",
) -> ResolvedTarget:
    """Decide where to save.

    Parameters
    ----------
    path : Path
        What was asked for, for one layer.
    save : SaveTarget
        How, and what to do where it exists; ``"rename"`` takes the next free number.
    source : str or path, or sequence of these, optional
        Where the input comes from; it is never replaced.
    shown_by : callable
        Tells the name of the layer that shows what is at a place (see `layer_showing`): what a
        layer shows is never replaced under it.

    Raises
    ------
    PlaceError
        If the place cannot be written to, or what is there is not what was asked for.
    """
    chosen, if_exists = save.file_format, save.if_exists
    compression = chosen.compression(save.compression)
    taken = partial(is_taken, chosen=chosen)
    _check_place(path, source)
    if (inside := enclosing_store(path)) != path:
        raise PlaceError(f"{path.name} would lie in the store {inside}: choose a place outside it")
    if if_exists == "rename" and taken(path):
        return ResolvedTarget(next_free(path, taken, 1), chosen, compression)
    if busy := chosen.while_running and who_writes(path):
        raise PlaceError(str(busy), BUSY)
    if not taken(path):
        return ResolvedTarget(path, chosen, compression)
    if if_exists == "ask":
        go_on = ", Resume," if chosen.while_running else ","
        raise PlaceError(f"{path.name} exists: rename{go_on} or Overwrite")
    if if_exists == "overwrite":
        if kept := kept_because(path, chosen, shown_by(path)):
            raise PlaceError(kept, KEPT)
        return ResolvedTarget(path, chosen, compression, overwrite=True)
    if not chosen.while_running:
        raise PlaceError(
            f"{path.name} is written when all is done, so there is no run to resume in it: "
            "rename, or Overwrite"
        )
    if read_unfinished(path) is None:
        raise PlaceError(f"{path.name} holds no run to resume: rename, or Overwrite")
    return ResolvedTarget(path, chosen, compression, resume=True)


def layer_showing(layers: Iterable[OpenLayer], path: Path) -> str:
    """Name of the layer that reads what is at a place, a part of it, or what it lies in.

    Takes time: not for the GUI thread.
    """
    for layer in layers:
        with suppress(OSError):
            try:
                check_place(path, layer.reads())
            except ValueError:
                return layer.name
    return ""


def _check_place(path: Path, source: str | Path | Sequence[str | Path] | None) -> None:
    try:
        check_place(path, source)
    except FileNotFoundError as error:
        raise PlaceError(str(error), MISSING) from None
    except ValueError as error:
        raise PlaceError(str(error), KEPT) from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise PlaceError(
                f"{path.name[:40]}… is longer than this disk's names may be: choose a shorter one"
            ) from None
        told = error.strerror or str(error)
        raise PlaceError(f"{told}: {path}" if error.strerror else told) from None


def store_writer(save: ResolvedTarget, *, overwrite: bool = False) -> WriteTilesZarr:
    """What writes an OME-Zarr image while tiles are predicted; channels left out are copied."""
    return WriteTilesZarr(
        save.path, overwrite=overwrite, compression=save.compression, copy_channels=True
    )
