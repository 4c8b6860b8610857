"""``napari-tessera train``: its options, and what is said of bad usage."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_tessera.cli.choices import Precision, ProgressStyle
from napari_tessera.cli.options import (
    parse_batch_size,
    parse_channels,
    parse_device,
    parse_sizes,
    parse_threads,
)
from napari_tessera.cli.shared_options import Axes, Debug, Progress, Source, parsed
from napari_tessera.cli.training_reporting import (
    BarTrainingReporter,
    JsonTrainingReporter,
    TrainingReporter,
)
from napari_tessera.training.errors import TrainingError
from napari_tessera.training.settings import TrainingSettings

DEFAULTS = TrainingSettings()

REPORTERS = {
    ProgressStyle.bar: BarTrainingReporter,
    ProgressStyle.json: JsonTrainingReporter,
    ProgressStyle.none: TrainingReporter,
}

OPTIONS = {
    "spatial_dims": "--dims",
    "independent_channels": "--joint-channels",
    "augment": "--no-augment",
}
"""Settings whose option has another name."""


class Method(StrEnum):
    """Choices of ``--method``."""

    n2v = "n2v"
    n2v2 = "n2v2"
    supervised = "supervised"


class Dims(StrEnum):
    """Choices of ``--dims``."""

    two = "2"
    three = "3"


class StructAxis(StrEnum):
    """Choices of ``--struct-axis``."""

    x = "x"
    y = "y"


class Loss(StrEnum):
    """Choices of ``--loss``."""

    auto = "auto"
    l1 = "l1"
    l2 = "l2"


class LearningRateSchedule(StrEnum):
    """Choices of ``--schedule``."""

    cosine = "cosine"
    plateau = "plateau"


def train(
    source: Source,
    model_out: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL_OUT",
            help="The model's file, .safetensors; predict --model takes it.",
            show_default=False,
        ),
    ],
    method: Annotated[
        Method,
        typer.Option(
            help="n2v, n2v2: from the noisy image alone, where noise of one pixel tells nothing "
            "of its neighbours'; n2v2 leaves no checkerboard. supervised: with --target."
        ),
    ] = Method.n2v,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="CLEAN",
            help="Clean image (or a second noisy one) of INPUT's shape, for supervised.",
        ),
    ] = None,
    axes: Axes = None,
    channels: Annotated[
        str | None, typer.Option(metavar="N,N…", help="Channels to take, from 0; all if not given.")
    ] = None,
    dims: Annotated[
        Dims, typer.Option(help="2: plane by plane; 3: volumes, which need Z.")
    ] = Dims.two,
    mask: Annotated[
        str | None,
        typer.Option(
            metavar="MASK|foreground",
            help="Take patches where this image is not 0: of INPUT's size, or one plane for all. "
            "foreground: where there seems to be something.",
        ),
    ] = None,
    patch_size: Annotated[
        str,
        typer.Option(
            metavar="[Z,]Y,X", help="In pixels, multiples of 2^depth; auto: 64,64 or 16,64,64."
        ),
    ] = "auto",
    batch_size: Annotated[
        str, typer.Option(metavar="N", help="Patches of a step; auto: 16, in 3D 4.")
    ] = "auto",
    steps: Annotated[
        int, typer.Option(metavar="N", help="Changes of the weights.")
    ] = DEFAULTS.steps,
    depth: Annotated[
        int, typer.Option(metavar="N", help="How often the U-Net halves the size.")
    ] = DEFAULTS.depth,
    features: Annotated[
        int, typer.Option(metavar="N", help="Channels of its first level.")
    ] = DEFAULTS.features,
    joint_channels: Annotated[
        bool,
        typer.Option(
            "--joint-channels", help="One network for all channels, which learns from the others."
        ),
    ] = False,
    masked_percent: Annotated[
        float, typer.Option(metavar="P", help="Pixels of a patch that n2v replaces.")
    ] = DEFAULTS.masked_percent,
    struct_axis: Annotated[
        StructAxis | None,
        typer.Option(help="Axis along which noise comes in stripes (structN2V)."),
    ] = None,
    struct_span: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Pixels in a row that such noise covers; odd.",
            show_default=str(DEFAULTS.struct_span),
        ),
    ] = None,
    loss: Annotated[
        Loss, typer.Option(help="Of supervised; auto: l2, which keeps the mean grey value.")
    ] = Loss.auto,
    learning_rate: Annotated[
        float, typer.Option(metavar="R", help="Of AdamW, at its highest.")
    ] = DEFAULTS.learning_rate,
    schedule: Annotated[
        LearningRateSchedule, typer.Option(help="How the learning rate falls.")
    ] = LearningRateSchedule.cosine,
    precision: Annotated[
        Precision, typer.Option(help="Arithmetic of the training.")
    ] = Precision.auto,
    validation_percent: Annotated[
        float,
        typer.Option(
            metavar="P", help="Part of INPUT that is never trained on, and validated on; 0: none."
        ),
    ] = DEFAULTS.validation_percent,
    validate_every: Annotated[
        int, typer.Option(metavar="N", help="Steps between validations.")
    ] = DEFAULTS.validate_every,
    patience: Annotated[
        int | None,
        typer.Option(metavar="N", help="End after so many validations without a gain."),
    ] = None,
    no_augment: Annotated[
        bool, typer.Option("--no-augment", help="Neither flip nor turn patches.")
    ] = False,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Of weights, patches and masks.")
    ] = DEFAULTS.seed,
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")
    ] = "auto",
    threads: Annotated[
        str,
        typer.Option(
            metavar="N",
            help="Threads on a CPU, or auto: all cores. The same number gives the same model.",
        ),
    ] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint beside MODEL_OUT.")
    ] = False,
    use_checkpoint: Annotated[
        bool,
        typer.Option(
            "--use-checkpoint", help="Make MODEL_OUT of that checkpoint as it is, and end."
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace MODEL_OUT, and without --resume its checkpoint."),
    ] = False,
    progress: Progress = ProgressStyle.bar,
    debug: Debug = False,
) -> int:
    """Train a denoiser on INPUT.

    Exit status: 0 done, 1 failed, 2 bad usage, 130 interrupted, 143 terminated.

    The state is kept each minute in MODEL_OUT.training, also when interrupted; --resume goes on.
    """
    from napari_tessera.cli.training import TrainJob, run_train

    if method is Method.supervised and target is None:
        raise typer.BadParameter("--method supervised learns from a clean image: give --target")
    if method is not Method.supervised and target is not None:
        raise typer.BadParameter(
            f"--target is for --method supervised, {method} learns from INPUT alone: leave one out"
        )
    if struct_span is not None and struct_axis is None:
        raise typer.BadParameter(
            "--struct-span needs the axis of the stripes: give --struct-axis x or y"
        )
    sizes = parsed("--patch-size", parse_sizes, patch_size)
    batch = parsed("--batch-size", parse_batch_size, batch_size)
    spatial_dims = int(dims)
    typed = {
        "method": method.value,
        "spatial_dims": spatial_dims,
        "patch_size": (sizes,) * spatial_dims if isinstance(sizes, int) else sizes,
        "batch_size": batch,
        "steps": steps,
        "depth": depth,
        "features": features,
        "independent_channels": not joint_channels,
        "masked_percent": masked_percent,
        "struct_axis": None if struct_axis is None else struct_axis.value,
        "struct_span": struct_span,
        "loss": loss.value,
        "learning_rate": learning_rate,
        "schedule": schedule.value,
        "precision": precision.value,
        "validation_percent": validation_percent,
        "validate_every": validate_every,
        "patience": patience,
        "augment": not no_augment,
        "seed": seed,
    }
    job = TrainJob(
        source=source,
        model_out=model_out,
        target=target,
        mask=mask,
        axes=axes,
        channels=parsed("--channels", parse_channels, channels),
        settings=_settings(typed),
        device=parsed("--device", _one_device, device),
        threads=parsed("--threads", parse_threads, threads),
        resume=resume,
        overwrite=overwrite,
        use_checkpoint=use_checkpoint,
    )
    return run_train(job, REPORTERS[progress](debug=debug))


def _settings(typed: dict[str, Any]) -> TrainingSettings:
    """Settings of what was typed; the others have their defaults."""
    given = {name: value for name, value in typed.items() if value not in (None, "auto")}
    try:
        return TrainingSettings(**given)
    except TrainingError as error:
        option = OPTIONS.get(error.field, f"--{error.field.replace('_', '-')}")
        raise typer.BadParameter(str(error), param_hint=option) from None


def _one_device(text: str) -> str:
    device = parse_device(text)
    if device == "all" or "," in device:
        raise typer.BadParameter(
            f"{text!r} are several devices, and training is on one: give cuda, cuda:1, mps or cpu"
        )
    return device
