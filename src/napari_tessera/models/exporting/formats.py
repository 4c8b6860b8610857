"""``export_model``: which format a file gets, and by whose hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_tessera.models.errors import ModelError

ENDINGS = {"bioimageio": ".zip", "torchscript": ".pt", "careamics": ".ckpt"}
"""Formats, and how their files are named."""

FORMATS = tuple(ENDINGS)


def format_of(out: str | Path) -> str | None:
    """The format that the ending of a name stands for; None where it stands for none."""
    suffix = Path(out).suffix.lower()
    return next((name for name, ending in ENDINGS.items() if ending == suffix), None)


def chosen_format(out: str | Path, format: str | None = None) -> str:
    """The format that is asked for, or that the ending stands for.

    Raises
    ------
    ValueError
        If there is no such format, the ending stands for none, or for another one.
    """
    named = format or format_of(out)
    if named is None:
        endings = ", ".join(f"{ending} ({name})" for name, ending in ENDINGS.items())
        raise ValueError(
            f"the ending of {Path(out).name!r} stands for no format: name it {endings}, or say "
            "which format"
        )
    if named not in ENDINGS:
        raise ValueError(f"format {named!r} is none of {', '.join(FORMATS)}")
    own = format_of(out)
    if own is not None and own != named:
        raise ValueError(
            f"{Path(out).name} is the name of a file in format {own}, not {named}: name it "
            f"…{ENDINGS[named]}, or leave the format out"
        )
    return named


def export_model(
    model_file: str | Path,
    out: str | Path,
    format: str | None = None,
    *,
    overwrite: bool = False,
    authors: Sequence[str] = (),
    licence: str | None = None,
) -> Path:
    """Write a trained model in the format of other software.

    Parameters
    ----------
    model_file : str or Path
        A model that this package trained (``.safetensors``).
    out : str or Path
        Where to.
    format : {"bioimageio", "torchscript", "careamics"}, optional
        A BioImage.IO package (.zip), TorchScript (.pt) or a checkpoint of CAREamics 0.3 (.ckpt);
        by default what the ending of ``out`` says.
    overwrite : bool
        Whether a file that is there may be replaced.
    authors : sequence of str
        Names, in the place of those that the model has.
    licence : str, optional
        SPDX identifier, in the place of the one that the model has.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If there is no such format, or the ending stands for none.
    ModelError
        If the model is of another kind, or cannot be written in this format.
    OSError
        If the file cannot be read or written: one line.
    """
    named = chosen_format(out, format)
    path = Path(model_file)
    if str(model_file).startswith("builtin:"):
        raise ModelError.not_usable(
            str(model_file),
            "it comes with napari-tessera",
            "Name a model that was trained with it (.safetensors)",
        )
    if not path.exists():
        raise ModelError.not_usable(path.name, f"there is no file {path}", "Check the path")
    if path.is_dir():
        raise ModelError.not_usable(
            path.name, "it is a folder", "Name a model that napari-tessera trained (.safetensors)"
        )
    if Path(out).exists() and path.samefile(out):
        raise FileExistsError(f"{out} is the model itself: choose another name")
    # each brings what its format needs; those of the others are not waited for
    if named == "torchscript":
        from napari_tessera.models.exporting.programs import export_torchscript as export
    elif named == "careamics":
        from napari_tessera.models.exporting.careamics import export_careamics as export
    else:
        from napari_tessera.models.exporting.packages import export_bioimageio as export
    return export(path, out, overwrite=overwrite, authors=authors, licence=licence)
