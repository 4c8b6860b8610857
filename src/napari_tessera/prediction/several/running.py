"""One call from folders, plates or lists of images to their predictions on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from os import PathLike
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from napari_tessera import models
from napari_tessera.prediction.cluster_choice import check_cluster
from napari_tessera.prediction.plan import RunSettings
from napari_tessera.prediction.run_facts import about_model
from napari_tessera.prediction.saving import SaveOptions
from napari_tessera.prediction.several.files_run import FilesProgress, FilesRun
from napari_tessera.prediction.several.finding import Found, absolute, find_images
from napari_tessera.prediction.several.places import (
    IF_EXISTS,
    RENAME,
    RESUME,
    ResultPlace,
    result_places,
)
from napari_tessera.prediction.several.report import (
    Report,
    check_report_place,
    read_report,
)
from napari_tessera.prediction.several.report_file import ReportFile
from napari_tessera.writing import format_named
from napari_tessera.writing.files.formats import OME_ZARR, FileFormat
from napari_tessera.writing.ome.metadata import check_version
from napari_tessera.writing.places.replaceable import enclosing_store

if TYPE_CHECKING:
    from distributed import Client

    from napari_tessera.models import ChannelModels, Model

_RUN_SETTINGS = frozenset(setting.name for setting in fields(RunSettings))


def predict_files(
    sources: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[Found],
    out: str | PathLike[str],
    model: Any,
    *,
    format: str = OME_ZARR.name,
    compression: str | None = None,
    ome_version: str = "0.5",
    chunks: int | Sequence[int] | None = None,
    channels: Sequence[int] | None = None,
    copy_channels: bool = False,
    if_exists: str = RESUME,
    keep_folders: bool = True,
    axes: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    report: Report | None = None,
    progress: Callable[[FilesProgress], None] | None = None,
    cancel: Event | None = None,
    client: Client | None = None,
    **settings: Any,
) -> Report:
    """Predict files, folders of images and plates to disk, one image after another.

    Inputs are never changed. `Report` is kept in the output folder as well, as `REPORT_NAME`.

    Parameters
    ----------
    sources : path, sequence of paths, or sequence of Found
        What `find_images` takes, or gave.
    out : str or path
        Folder for the results; made where it is not there.
    model : Model or ChannelModels
        The model, or anything that `load_model` takes.
    format, compression, ome_version, chunks, copy_channels
        As for `predict_to_disk`.
    channels : sequence of int, optional
        Channels that each image is opened with; all by default.
    if_exists : {"resume", "skip", "overwrite", "rename", "refuse"}
        Where a result is there already: go on with an unfinished one and leave one that is
        finished, both of the same model and settings only; leave whatever is there; replace it;
        take the first free name with a number; or count the image as failed.
    keep_folders : bool
        Whether folders within a folder are made anew in the output folder.
    axes : str, optional
        Axes of all images; by default what each says of itself.
    device, precision : str
        As for `load_model`.
    report : Report, optional
        What an earlier call gave that was stopped: results keep the places they have there, and
        what ended there is not done again.
    progress : callable, optional
        Called with a `FilesProgress`.
    cancel : threading.Event, optional
        Set it to stop after the batch that runs.
    client : distributed.Client, optional
        As for `predict_to_disk`: the workers of a Dask cluster share each image. ``"ome-zarr"``
        only.
    **settings
        Those of `plan_prediction`, for all images.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If a setting is none of its choices, or the output folder lies in a Zarr store.
    OSError
        If a source does not exist, the output folder cannot be written to, or somebody else's file
        is where the report goes.
    ModelError
        If the model cannot be loaded.
    """
    form = format_named(format)
    if client is not None:
        check_cluster(client, form)
    if if_exists not in IF_EXISTS:
        raise ValueError(f"if_exists {if_exists!r} is none of {', '.join(IF_EXISTS)}")
    options = SaveOptions(
        form.name,
        form.compression(compression),
        check_version(ome_version) if form is OME_ZARR else "0.5",
        chunks,
    )
    # an option that the format has not is told of before anything is looked for
    options.of(f"image{form.ending}")
    folder = absolute(out)
    if (store := enclosing_store(folder / "image")) != folder / "image":
        raise ValueError(f"{folder} lies in the store {store}: choose a folder outside it")
    check_report_place(folder)
    images = _found(sources, axes, folder, cancel)
    loaded = _loaded(model, device, precision)
    folder.mkdir(parents=True, exist_ok=True)
    decides = _what_decides(loaded, options, axes, settings)
    if channels is not None:
        decides["channels"] = list(channels)
    if copy_channels:
        decides["copy_channels"] = True
    known = read_report(folder)
    earlier = frozenset() if known is None else known.outputs
    if report is not None or if_exists != RESUME:
        known = report
    before = known if known is not None and dict(known.run) == decides else None
    if report is not None:
        places = _places_of(images, report, form)
    else:
        taken = os.path.lexists if if_exists == RENAME else None
        places = result_places(images, folder, form, keep_folders=keep_folders, taken=taken)
    run = FilesRun(
        images,
        places,
        loaded,
        options,
        settings,
        if_exists,
        axes,
        before,
        report,
        channels,
        copy_channels,
        client,
    )
    file = ReportFile(folder)
    return run.work(
        Report((), decides, earlier=tuple(sorted(earlier))), file, progress, cancel or Event()
    )


def _found(sources: Any, axes: str | None, folder: Path, cancel: Event | None) -> list[Found]:
    if isinstance(sources, Sequence) and not isinstance(sources, str):
        known = [source for source in sources if isinstance(source, Found)]
        if known:
            if len(known) < len(sources):
                raise ValueError("sources are images that were found and paths: give only one kind")
            return known
    return find_images(sources, axes=axes, leave_out=folder, cancel=cancel)


def _loaded(model: Any, device: str, precision: str) -> Model | ChannelModels:
    if isinstance(model, models.Model | models.ChannelModels):
        return model
    loaded: Model | ChannelModels = models.load_model(model, device=device, precision=precision)
    return loaded


def _what_decides(
    model: Model | ChannelModels,
    options: SaveOptions,
    axes: str | None,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """What results depend on, as it comes back from JSON."""
    decides = {
        "model": about_model(model),
        "precision": model.precision,
        "format": options.format,
        "compression": options.compression,
        "ome_version": options.ome_version,
        "axes": axes,
        # how it is run, as the number of threads, may be another in each run
        "settings": {k: v for k, v in settings.items() if k not in _RUN_SETTINGS},
    }
    found: dict[str, Any] = json.loads(json.dumps(decides, default=str))
    return found


def _places_of(images: Sequence[Found], report: Report, form: FileFormat) -> list[ResultPlace]:
    """Places that results had in the run that is gone on with."""
    outputs = {entry.source: entry.output for entry in report.entries}
    places = []
    for image in images:
        if image.source not in outputs:
            raise ValueError(f"{image.source} is not in the report: begin a new run")
        path = Path(outputs[image.source])
        depth = len(Path(image.inside).parts)
        stays = form is OME_ZARR and bool(image.plate) and bool(outputs[image.source])
        places.append(ResultPlace(path, path.parents[depth - 1] if stays else None))
    return places
