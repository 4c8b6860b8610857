"""Writers of image layers: what File → Save Selected Layers offers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import napari
from napari.utils.notifications import show_warning

from napari_tessera import __version__
from napari_tessera.home_paths import from_home
from napari_tessera.widgets.channel_look import named_channels, set_looks
from napari_tessera.widgets.layer_pixels import SavingCancelled, WatchedPixels
from napari_tessera.widgets.layers_image import LayersImage, LayerTuple, image_of_layers
from napari_tessera.widgets.output_layer import PLAN_KEY
from napari_tessera.widgets.save_question import (
    CANCEL,
    CONTINUE,
    ask,
    napari_has_asked,
)
from napari_tessera.widgets.save_wait import wait_for
from napari_tessera.writing.files.any_format import write_file
from napari_tessera.writing.files.formats import OME_TIFF, OME_ZARR, FileFormat, format_of
from napari_tessera.writing.places.checks import check_place
from napari_tessera.writing.places.removal import is_free
from napari_tessera.writing.places.replaceable import enclosing_store, why_kept
from napari_tessera.writing.stored.stored_run import read_unfinished


class NotSaved(OSError):
    """Nothing was saved; the message says why, in one line, and napari shows it.

    Among them what is a ValueError elsewhere: of one, napari makes that no plugin was found.
    """


def write_ome_zarr_layers(path: str | PathLike[str], layers: Sequence[LayerTuple]) -> list[str]:
    """Save image layers as one OME-Zarr image; see `write_layers`."""
    return write_layers(path, layers, OME_ZARR)


def write_ome_tiff_layers(path: str | PathLike[str], layers: Sequence[LayerTuple]) -> list[str]:
    """Save image layers as one OME-TIFF; see `write_layers`."""
    return write_layers(path, layers, OME_TIFF)


def write_layers(
    path: str | PathLike[str], layers: Sequence[LayerTuple], file_format: FileFormat
) -> list[str]:
    """Save image layers as one image; several become its channels.

    The pixels are read a block at a time in a thread, while a dialog shows how far it is.

    Where something is there already: a file that people agreed in napari's dialog to replace is
    replaced. For anything else they are asked here, and where nobody can be asked it is refused.
    Never replaced are folders that hold anything but one image, and what the layers are read
    from. Where an unfinished run of this plugin is there, it can be continued in the dock.

    Parameters
    ----------
    path : str or path-like
        Where to; the format's ending is added to names that have none.
    layers : sequence of tuple
        Data, attributes and kind of each layer.
    file_format : FileFormat
        `OME_ZARR` or `OME_TIFF`.

    Returns
    -------
    list of str
        The path that was written, or that is gone on with.

    Raises
    ------
    NotSaved
        If it was cancelled, the layers are no one image, the format lacks their data type, or
        they are read from what is to be replaced.
    FileExistsError
        If something is there that is not replaced.
    OSError
        Whatever reading or writing raises; nothing is left of it then.
    """
    try:
        return _save(from_home(path), layers, file_format)
    except ValueError as error:
        raise NotSaved(str(error)) from error


def _save(path: Path, layers: Sequence[LayerTuple], file_format: FileFormat) -> list[str]:
    image = image_of_layers(layers)
    file_format.stored_dtype(image.pixels.dtype)
    target = _with_ending(path, file_format)
    if file_format is OME_ZARR:
        target = enclosing_store(target)
    check_place(target, image.origins)
    overwrite = not is_free(target)
    has_asked = target == path and napari_has_asked()
    if overwrite and not _may_replace(target, file_format, has_asked=has_asked):
        return [str(target)]
    for line in image.lost:
        show_warning(line)
    _write(target, image, file_format, overwrite=overwrite, made_by=_made_by(layers))
    return [str(target)]


def _with_ending(path: Path, file_format: FileFormat) -> Path:
    """The path, with the format's ending where it has none that is known."""
    try:
        format_of(path)
    except ValueError:
        path = path.with_name(path.name + file_format.ending)
    format_of(path, file_format.name)
    return path


def _may_replace(target: Path, file_format: FileFormat, *, has_asked: bool) -> bool:
    """Whether to write over what is there; False where it is continued instead."""
    unfinished = None
    kept = ""
    if file_format is OME_ZARR:
        kept = why_kept(target)
        unfinished = read_unfinished(target)
        if unfinished is not None and unfinished.completed:
            unfinished = None
    elif not target.is_file():
        kept = "it is no file"
    if kept and unfinished is None:
        raise FileExistsError(
            f"{target} exists, and {kept}, so it is never replaced: choose another name"
        )
    if has_asked and target.is_file():
        return True
    viewer = napari.current_viewer()
    if viewer is None:
        raise FileExistsError(f"{target} exists: delete it first, or choose another name")
    choice = ask(target, unfinished, replaceable=not kept)
    if choice == CANCEL:
        raise NotSaved(f"{target.name} was left as it is: nothing was saved")
    if choice == CONTINUE:
        from napari_tessera.widgets.continuing import continue_run

        continue_run(viewer, target)
        return False
    return True


def _write(
    target: Path,
    image: LayersImage,
    file_format: FileFormat,
    *,
    overwrite: bool,
    made_by: Mapping[str, Any],
) -> None:
    whole, axes, metadata = image.pixels, image.axes, image.metadata
    if file_format is not OME_ZARR:
        whole, axes, metadata = named_channels(whole, axes, metadata, image.looks)
    pixels = WatchedPixels(whole)

    def write() -> None:
        write_file(
            target,
            pixels,
            axes=axes,
            metadata=metadata,
            format=file_format.name,
            made_by=made_by,
            overwrite=overwrite,
        )
        if target.is_dir():
            set_looks(target, image.looks)

    try:
        wait_for(
            write, title=f"Saving {target.name} …", share=lambda: pixels.share, cancel=pixels.cancel
        )
    except SavingCancelled:
        raise NotSaved(f"saving {target.name} was cancelled: nothing is left of it") from None


def _made_by(layers: Sequence[LayerTuple]) -> dict[str, Any]:
    """What made the image: this program, and the plans of layers that it denoised."""
    plans = []
    for _, attributes, _ in layers:
        text = (attributes.get("metadata") or {}).get(PLAN_KEY)
        if isinstance(text, str):
            plans.append({"layer": attributes.get("name"), "plan": json.loads(text)})
    return {"version": __version__, **({"denoised": plans} if plans else {})}
