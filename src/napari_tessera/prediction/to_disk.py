"""One call from an image and a model to a prediction on disk, or wherever Zarr can be stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from zarr.abc.store import Store
from zarr.storage import StorePath

from napari_tessera.prediction.cluster_choice import check_cluster
from napari_tessera.prediction.going_on import plan_into
from napari_tessera.prediction.pipeline import Progress, RunResult, run_prediction
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.saving import Output, SaveOptions
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.prediction.starting import planned, warn_of
from napari_tessera.prediction.to_file import predict_to_file
from napari_tessera.prediction.written import Written, written_zarr
from napari_tessera.stacks import ImageStack, read_origins
from napari_tessera.stacks.opened import opened
from napari_tessera.writing import (
    WriteStrategy,
    WriteTilesZarr,
    check_target,
)
from napari_tessera.writing.chunks.assembler import DEFAULT_MEMORY_LIMIT
from napari_tessera.writing.places.target import Target

if TYPE_CHECKING:
    from distributed import Client


def predict_to_disk(
    stack: Any,
    model: Any,
    path: str | PathLike[str] | Store,
    *,
    plan: PredictionPlan | None = None,
    resume: bool = False,
    overwrite: bool = False,
    writers: Sequence[tuple[WriteStrategy, str | Path]] = (),
    progress: Callable[[Progress], None] | None = None,
    cancel: Event | None = None,
    format: str | None = None,
    compression: str | None = None,
    ome_version: str = "0.5",
    chunks: int | Sequence[int] | None = None,
    copy_channels: bool = False,
    memory_limit: int | None = None,
    written: Callable[[Written], None] | None = None,
    client: Client | None = None,
    **settings: Any,
) -> Path | str | Store:
    """Predict an image tile by tile, onto disk.

    Parameters
    ----------
    stack, model, plan, writers, progress, cancel, **settings
        As for `predict`.
    path : str, path-like or zarr.abc.store.Store
        Where to write, and by its ending what: ``.ome.zarr`` or ``.zarr`` (an OME-Zarr image, each
        chunk written once as tiles arrive, memory independent of the image's size),
        ``.ome.zarr.zip`` (the same, packed at the end), ``.ome.tif``, ``.tif`` (as ImageJ knows it)
        or ``.npy``, written when all is predicted. Zarr goes to URLs that fsspec knows too
        (``s3://bucket/a.ome.zarr``), and into any store of zarr. All but ``.tif`` and ``.npy``
        hold the plan, with the statistics that were used: in the attribute ``napari_tessera`` of
        the Zarr group, in a map annotation of the OME-TIFF.
    resume : bool, default False
        Go on with the unfinished run that is at ``path``: with its plan, or one that is the same.
        Settings that are given must be the stored ones, but for those of how it is run, as the
        batch size. Nothing to go on with is no error. Zarr only.
    overwrite : bool, default False
        Replace what is at ``path``.
    format : str, optional
        ``"ome-zarr"``, ``"ome-tiff"``, ``"tiff"`` or ``"npy"``; default: what the ending says.
    compression : str, optional
        One that the format has: ``"zstd"`` (default), ``"lz4"``, ``"gzip"`` or ``"none"`` of
        OME-Zarr, ``"zlib"`` (default), ``"lzw"`` or ``"none"`` of OME-TIFF. None of them loses
        anything.
    ome_version : {"0.5", "0.4"}
        Of OME-Zarr; 0.4 is Zarr 2, which older programs read.
    chunks : int or sequence of int, optional
        Chunk sizes of the Zarr along its last axes, or one for Y and X; others get 1. Default:
        chosen for the tiles.
    copy_channels : bool, default False
        Where the region takes some of the image's channels, and the model makes no others: the
        result has all of them, those that are not predicted as they are in the image.
    memory_limit : int, optional
        Bytes. Of Zarr: of chunks that are begun and held (default 512 MiB). Of files: of the result
        (default: half of the free memory); a larger one waits in a hidden folder beside the file.
    written : callable, optional
        Called with a `Written` when all is there: axes and shape on disk, data type, and how many
        pixels were clipped to it.
    client : distributed.Client, optional
        Work is shared by the workers of its Dask cluster (see `cluster_client`): each reads the
        image itself and writes whole shards, so that image and ``path`` must be places that all
        of them see. OME-Zarr only, not packed; without ``writers``. The bytes are those of one
        machine.

    Returns
    -------
    pathlib.Path, str or zarr.abc.store.Store
        Where it was written: a path, or the URL or store that was given. After a cancel the Zarr
        holds what is done, and no file is written, though its path is returned: ``progress`` tells
        how many tiles are done, and `read_unfinished` of a Zarr.

    Raises
    ------
    FileExistsError
        If there is something at ``path`` and neither ``resume`` nor ``overwrite``.
    ValueError
        If a setting does not fit, the ending is unknown, or the unfinished run is of another
        image, model or plan (saying what differs).
    OSError
        If the place cannot be written to, is written to by another process (`StoreBusyError`), is
        full or does not answer (`StoreError`), or the cluster is lost (`ClusterError`). What is
        saved by then is gone on with by ``resume``.

    Warns
    -----
    UserWarning
        If pixels of the image are NaN, infinite or beyond float32, or chunks of it are not in its
        store, and how many.
    """
    output = SaveOptions(format, compression, ome_version, chunks).of(path)
    if client is not None:
        check_cluster(client, output.form)
    with opened(stack) as image:
        result = save_prediction(
            image,
            model,
            output,
            plan=plan,
            settings=settings,
            resume=resume,
            overwrite=overwrite,
            writers=writers,
            progress=progress,
            cancel=cancel,
            ome_version=ome_version,
            chunks=chunks,
            copy_channels=copy_channels,
            memory_limit=memory_limit,
            written=written,
            client=client,
        )
        warn_of(result, image)
    if output.target.path is not None and not isinstance(path, Store):
        return output.target.path
    # what is no local path is text, even where it was given as path-like
    return path if isinstance(path, Store | StorePath) else str(path)


def save_prediction(
    image: ImageStack,
    model: Any,
    output: Output,
    *,
    plan: PredictionPlan | None = None,
    settings: Mapping[str, Any],
    resume: bool = False,
    overwrite: bool = False,
    writers: Sequence[tuple[WriteStrategy, str | Path]] = (),
    progress: Callable[[Progress], None] | None = None,
    cancel: Event | None = None,
    ome_version: str = "0.5",
    chunks: int | Sequence[int] | None = None,
    copy_channels: bool = False,
    memory_limit: int | None = None,
    written: Callable[[Written], None] | None = None,
    client: Client | None = None,
) -> RunResult:
    """Predict an open image onto disk; as `predict_to_disk`, but what the image lacks is returned.

    Parameters
    ----------
    image : ImageStack
        The image, which stays open.
    output : Output
        Where it goes, and as what.
    settings : mapping
        Those of `plan_prediction`, where there is no plan.
    model, plan, resume, overwrite, writers, progress, cancel, ome_version, chunks, copy_channels,
    memory_limit, written, client
        As for `predict_to_disk`.

    Returns
    -------
    RunResult
    """
    target = output.target
    places: list[str | Path] = [str(image.source), *read_origins(image)]
    check_target(target, resume=resume, overwrite=overwrite, source=places)
    if client is not None:
        from napari_tessera.prediction.cluster.run import run_on_cluster

        result = run_on_cluster(
            image,
            model,
            output,
            client=client,
            plan=plan,
            settings=settings,
            resume=resume,
            overwrite=overwrite,
            writers=writers,
            progress=progress,
            cancel=cancel,
            ome_version=ome_version,
            chunks=chunks,
            copy_channels=copy_channels,
            memory_limit=memory_limit,
        )
        if written is not None and result.completed:
            written(written_zarr(target))
        return result
    if not target.is_zarr:
        assert target.path is not None
        plan, model = planned(plan, dict(settings), image, model)
        output.form.stored_dtype(plan.output_dtype)
        return predict_to_file(
            plan,
            image,
            model,
            target.path,
            format=output.form.name,
            compression=output.compression,
            copy_channels=copy_channels,
            overwrite=overwrite,
            memory_limit=memory_limit,
            writers=writers,
            progress=progress,
            cancel=cancel,
            written=written,
        )
    writer = WriteTilesZarr(
        target,
        overwrite=overwrite,
        chunks=chunks,
        ome_version=ome_version,
        compression=output.compression,
        copy_channels=copy_channels,
        memory_limit=DEFAULT_MEMORY_LIMIT if memory_limit is None else memory_limit,
    )
    result = _predict_to_zarr(
        plan,
        dict(settings),
        image,
        model,
        target,
        writer,
        resume=resume,
        writers=writers,
        progress=progress,
        cancel=cancel,
    )
    if written is not None and result.completed:
        written(written_zarr(target))
    return result


def _predict_to_zarr(
    plan: PredictionPlan | None,
    settings: dict[str, Any],
    image: Any,
    model: Any,
    target: Target,
    writer: WriteTilesZarr,
    *,
    resume: bool,
    writers: Sequence[tuple[WriteStrategy, str | Path]],
    progress: Callable[[Progress], None] | None,
    cancel: Event | None,
) -> RunResult:
    """Predict into a Zarr image, or go on with what is there."""
    plan, model, stored = plan_into(target, plan, settings, image, model, resume=resume)
    # Tile numbers mean something within one plan only; the writer refuses a run of another.
    same = stored is not None and stored.fingerprint == plan.fingerprint
    schedule = Schedule(plan.tiles, done=stored.done if stored is not None and same else ())
    return run_prediction(
        plan,
        image,
        model,
        writers=[(writer, Path()), *writers],
        schedule=schedule,
        cancel=cancel,
        progress=progress,
        resume=stored is not None,
    )
