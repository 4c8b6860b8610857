"""``predict``: its options, and what is said of bad usage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_tessera.cli.bars import BarReporter
from napari_tessera.cli.choices import (
    Augmentation,
    Blending,
    Compression,
    HotPixels,
    IntensityRange,
    Measuring,
    OmeVersion,
    OutputType,
    Precision,
    ProgressStyle,
    SaveFormat,
)
from napari_tessera.cli.json_lines import JsonReporter
from napari_tessera.cli.options import (
    parse_batch_size,
    parse_channels,
    parse_chunks,
    parse_device,
    parse_gain,
    parse_inside,
    parse_models,
    parse_offset,
    parse_region,
    parse_sizes,
    parse_threads,
)
from napari_tessera.cli.reporting import Reporter
from napari_tessera.cli.shared_options import Axes, Debug, Progress, parsed

REPORTERS = {
    ProgressStyle.bar: BarReporter,
    ProgressStyle.json: JsonReporter,
    ProgressStyle.none: Reporter,
}


def predict(
    *,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Image: TIFF, or a folder or pattern of TIFFs; Zarr, OME-Zarr; HDF5 "
            "(a.h5#/dataset); what bioio reads. For a folder as OUTPUT: any number of images, "
            "folders, plates and patterns ('plate/*.ome.zarr').",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Argument(
            metavar="OUTPUT",
            help="Where to write: .ome.zarr, .zarr (while running; also a URL), .ome.zarr.zip, "
            ".ome.tif, .tif (ImageJ) or .npy (at the end). For several images a folder, like OUT/.",
            show_default=False,
        ),
    ],
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            "-m",
            metavar="[C=]MODEL",
            help="builtin:denoise2d or builtin:denoise3d; TorchScript (.pt), torch.export (.pt2), "
            "ONNX; a CAREamics checkpoint (.ckpt); a BioImage.IO package (.zip, folder); weights "
            "of a known network (.pth, .safetensors). One for each channel: -m 0=a.pt -m 1=b.pt.",
            show_default=False,
        ),
    ],
    axes: Axes = None,
    channels: Annotated[
        str | None, typer.Option(metavar="N,N…", help="Channels to take, from 0; all if not given.")
    ] = None,
    patch_size: Annotated[
        str, typer.Option(metavar="[Z,]Y,X", help="Tile size in pixels, or auto.")
    ] = "auto",
    overlaps: Annotated[
        str,
        typer.Option(
            metavar="[Z,]Y,X",
            help="Total overlap of neighbouring tiles in pixels, even, or auto: what the model "
            "needs for tiles that join exactly.",
        ),
    ] = "auto",
    batch_size: Annotated[
        str, typer.Option(metavar="N", help="Tiles that go through the model at once, or auto.")
    ] = "auto",
    threads: Annotated[
        str,
        typer.Option(
            metavar="N",
            help="Threads of the model on a CPU, or auto: all cores; fewer are faster where others "
            "use them too.",
        ),
    ] = "auto",
    device: Annotated[
        str,
        typer.Option(
            metavar="DEVICE",
            help="auto, cpu, cuda, cuda:1 or mps; cuda:0,cuda:1 or all share the tiles.",
        ),
    ] = "auto",
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the model.")] = Precision.auto,
    normalization: Annotated[
        IntensityRange,
        typer.Option(
            help="Where the intensity range comes from; auto: the model's own, else each time "
            "point."
        ),
    ] = IntensityRange.auto,
    statistics: Annotated[
        Measuring,
        typer.Option(help="Measure the intensity range on a sample of the pixels, or on all."),
    ] = Measuring.sample,
    blending: Annotated[
        Blending,
        typer.Option(
            help="How tiles are joined; auto: by crop, which is exact, where the model is local, "
            "else linear."
        ),
    ] = Blending.auto,
    tta: Annotated[
        Augmentation,
        typer.Option(
            help="Run each tile in its 8 flips and turns, and write their mean, median, or "
            "standard deviation (disagreement: it shows instability, not error)."
        ),
    ] = Augmentation.none,
    hot_pixels: Annotated[
        HotPixels,
        typer.Option(
            help="Replace isolated hot and dead pixels by the median of their neighbours before "
            "the model sees them, or keep them."
        ),
    ] = HotPixels.kept,
    camera_offset: Annotated[
        str,
        typer.Option(
            metavar="LEVEL", help="Grey level that the camera gives without light, like 100."
        ),
    ] = "0",
    camera_gain: Annotated[
        str,
        typer.Option(
            metavar="LEVELS",
            help="Grey levels per photo-electron, like 0.46: the model gets photo-electrons, and "
            "OUTPUT is in grey levels again.",
        ),
    ] = "1",
    region: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS=FROM:TO,…",
            help="Part of INPUT, like T=0:3,Z=5 (ends excluded); all if not given.",
        ),
    ] = None,
    inside: Annotated[
        str | None,
        typer.Option(
            metavar="MASK",
            help="Denoise only tiles in which this image is not 0: of INPUT's size, or one plane "
            "for all. Or polygons, '[[[Y,X],…],…]' in pixels and in quotes. The rest is NaN (0 of "
            "integers).",
        ),
    ] = None,
    output_dtype: Annotated[
        OutputType, typer.Option(help="input: rounded and clipped to INPUT's dtype.")
    ] = OutputType.float32,
    save_format: Annotated[
        SaveFormat | None,
        typer.Option("--format", help="Format of OUTPUT; what its ending says if not given."),
    ] = None,
    compression: Annotated[
        Compression | None,
        typer.Option(
            help="Lossless: zstd (default), lz4, gzip of OME-Zarr; zlib (default), lzw of OME-TIFF."
        ),
    ] = None,
    ome_version: Annotated[
        OmeVersion | None,
        typer.Option(help="Of OME-Zarr; 0.5 if not given. 0.4 is Zarr 2, for older programs."),
    ] = None,
    chunks: Annotated[
        str,
        typer.Option(
            metavar="[Z,]Y,X", help="Chunk sizes of OME-Zarr along its last axes; one for Y and X."
        ),
    ] = "auto",
    copy_channels: Annotated[
        bool,
        typer.Option(
            "--copy-channels",
            help="Keep channels that --channels leaves out, as they are in INPUT.",
        ),
    ] = False,
    plan: Annotated[
        Path | None,
        typer.Option(metavar="PLAN.JSON", help="Follow a plan (JSON, or the .zarr of a run)."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the unfinished run in OUTPUT (Zarr).")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUTPUT.")] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="Let workers of Dask predict: local (processes of this computer), or the "
            "scheduler at tcp://HOST:8786, tls://HOST:8786.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Processes of --cluster local; one a GPU if not given."
        ),
    ] = None,
    threads_per_worker: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Threads of the model in each of these."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Write nothing: say how many tiles there are, and by a few of them, which are "
            "really predicted, how long it takes and what room it needs on disk.",
        ),
    ] = False,
    progress: Progress = ProgressStyle.bar,
    debug: Debug = False,
) -> int:
    """Denoise INPUT into OUTPUT, or several images into a folder.

    Exit status: 0 done, 1 failed (of several images: any), 2 bad usage, 130 interrupted, 143
    terminated.

    What an interrupted run has done is in OUTPUT (Zarr); --resume goes on.
    """
    from napari_tessera.cli.clusters import ClusterChoice
    from napari_tessera.cli.jobs import PredictJob
    from napari_tessera.cli.many_inputs import means_several

    if not sources:
        raise typer.BadParameter(
            f"OUTPUT is missing, there is only {output}: give INPUT and OUTPUT"
        )
    if cluster is None:
        for name, value in (("--workers", workers), ("--threads-per-worker", threads_per_worker)):
            if value is not None:
                raise typer.BadParameter(f"{name} is for --cluster local: give that too")
    try:
        several = means_several(sources, output)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if several and plan is not None:
        raise typer.BadParameter("--plan is of one image: leave it out for several")

    typed: dict[str, tuple[Any, Any]] = {
        "--patch-size": (parsed("--patch-size", parse_sizes, patch_size), "auto"),
        "--overlaps": (parsed("--overlaps", parse_sizes, overlaps), "auto"),
        "--normalization": (normalization.value, "auto"),
        "--statistics": (statistics.value, "sample"),
        "--blending": (blending.value, "auto"),
        "--tta": (tta.value, "none"),
        "--hot-pixels": (hot_pixels.value, "keep"),
        "--camera-offset": (parsed("--camera-offset", parse_offset, camera_offset), None),
        "--camera-gain": (parsed("--camera-gain", parse_gain, camera_gain), None),
        "--region": (parsed("--region", parse_region, region), None),
        "--inside": (parsed("--inside", parse_inside, inside), None),
        "--output-dtype": (output_dtype.value, "float32"),
    }
    given = {name: value for name, (value, default) in typed.items() if value != default}
    if plan is not None and given:
        raise typer.BadParameter(
            f"--plan decides {', '.join(given)} already: leave one of them out"
        )
    if resume and overwrite:
        raise typer.BadParameter("--resume keeps what OUTPUT has, --overwrite does not: give one")
    if not output.strip():
        raise typer.BadParameter("OUTPUT is an empty name: '.' is the working directory")
    job = PredictJob(
        source="" if several else sources[0],
        output=output,
        model=parsed("--model", parse_models, model),
        device=parsed("--device", parse_device, device),
        precision=precision.value,
        axes=axes,
        channels=parsed("--channels", parse_channels, channels),
        plan=plan,
        settings={name[2:].replace("-", "_"): value for name, value in given.items()},
        batch_size=parsed("--batch-size", parse_batch_size, batch_size),
        threads=parsed("--threads", parse_threads, threads),
        resume=resume,
        overwrite=overwrite,
        saving={
            "format": None if save_format is None else save_format.value,
            "compression": None if compression is None else compression.value,
            "chunks": parsed("--chunks", parse_chunks, chunks),
            # one that is typed is not the default: a run that goes on may be of another
            **({} if ome_version is None else {"ome_version": ome_version.value}),
        },
        copy_channels=copy_channels,
        cluster=None if cluster is None else ClusterChoice(cluster, workers, threads_per_worker),
        dry_run=dry_run,
    )
    reporter = REPORTERS[progress](debug=debug)
    if several:
        from napari_tessera.cli.many import run_many

        return run_many(sources, job, reporter)
    from napari_tessera.cli.predicting import run_predict

    return run_predict(job, reporter)
