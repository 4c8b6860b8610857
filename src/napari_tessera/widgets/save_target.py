"""Where a run saves, decided before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_tessera.prediction import PlanError
from napari_tessera.stacks.zarr.nodes import is_zarr_folder
from napari_tessera.writing.places.checks import check_place, is_free
from napari_tessera.writing.stored.stored_run import read_unfinished


@dataclass(frozen=True)
class ResolvedTarget:
    """Where to save, and what to do with what is there.

    Parameters
    ----------
    path : Path
        OME-Zarr folder.
    resume : bool
        Go on with the run of ours that is there.
    overwrite : bool
        Replace what is there.
    """

    path: Path
    resume: bool = False
    overwrite: bool = False


def resolve_target(
    path: Path, if_exists: str, source: str | Path | Sequence[str | Path] | None = None
) -> ResolvedTarget:
    """Decide where to save.

    Parameters
    ----------
    path : Path
        What was asked for.
    if_exists : {"ask", "rename", "continue", "overwrite"}
        What to do where it exists; ``"rename"`` takes the next free number.
    source : str or path, or sequence of these, optional
        Where the input comes from; it is never replaced.

    Raises
    ------
    PlanError
        If the place cannot be written to, or what is there is not what was asked for; its field
        is ``"save"``.
    """
    try:
        check_place(path, source)
    except (OSError, ValueError) as error:
        raise PlanError(str(error), "save") from None
    if is_free(path):
        return ResolvedTarget(path)
    if if_exists == "rename":
        return ResolvedTarget(_next_free(path))
    if if_exists == "ask":
        raise PlanError(f"{path.name} exists: rename, Continue, or Overwrite", "save")
    if path.is_symlink() or not is_zarr_folder(path):
        raise PlanError(
            f"{path.name} exists and is no Zarr store, so it is never replaced: rename", "save"
        )
    if if_exists == "overwrite":
        return ResolvedTarget(path, overwrite=True)
    if read_unfinished(path) is None:
        raise PlanError(f"{path.name} holds no run to continue: rename, or Overwrite", "save")
    return ResolvedTarget(path, resume=True)


def _next_free(path: Path) -> Path:
    """First of ``NAME_1``, ``NAME_2``, … that is free."""
    ending = ".ome.zarr" if path.name.endswith(".ome.zarr") else path.suffix
    stem = path.name.removesuffix(ending)
    number = 1
    while not is_free(candidate := path.with_name(f"{stem}_{number}{ending}")):
        number += 1
    return candidate
