"""All commands, and the options of ``info``, ``bench`` and ``demo``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from napari_tessera import __version__
from napari_tessera.cli.choices import Precision
from napari_tessera.cli.model_commands import models
from napari_tessera.cli.options import parse_device, parse_threads
from napari_tessera.cli.predict_command import predict
from napari_tessera.cli.reporting import NAME, Reporter
from napari_tessera.cli.shared_options import AsJson, Axes, Debug, parsed
from napari_tessera.cli.training_command import train
from napari_tessera.cli.usage import usage_line

app = typer.Typer(
    name=NAME,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(models)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"{NAME} {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Denoise large microscopy stacks tile by tile."""


app.command()(predict)
app.command()(train)


@app.command()
def info(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="An image, as for predict, or a model.", show_default=False
        ),
    ],
    axes: Axes = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Print axes, shape, dtype, chunks and pixel size of an image, or what a model is."""
    from napari_tessera.cli.inputs import is_model
    from napari_tessera.cli.inspecting import show_image, show_model

    reporter = Reporter(debug=debug)
    if not is_model(source):
        return show_image(source, axes, reporter, as_json=as_json)
    if axes is not None:
        raise typer.BadParameter(f"{source} is a model: --axes is for images, leave it out")
    return show_model(source, reporter, as_json=as_json)


@app.command()
def bench(
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="A model, as for predict.")
    ] = "builtin:denoise2d",
    size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Edge of the image, in pixels; 1024 if not given."),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")
    ] = "auto",
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the model.")] = Precision.auto,
    threads: Annotated[
        str, typer.Option(metavar="N", help="Threads of the model on a CPU, or auto: all cores.")
    ] = "auto",
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Measure this machine with a model: its speed, and the best tile and batch size.

    Takes half a minute. Exit status: 0 done, 1 failed, 2 bad usage, 130 interrupted.
    """
    from napari_tessera.cli.bench import BenchJob, run_bench

    job = BenchJob(
        model=model,
        size=size,
        device=parsed("--device", parse_device, device),
        precision=precision.value,
        threads=parsed("--threads", parse_threads, threads),
    )
    return run_bench(job, Reporter(debug=debug), as_json=as_json)


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for what the demo writes.")
    ] = Path("demo"),
    debug: Debug = False,
) -> int:
    """Denoise a noisy sample stack in napari; without a screen, in a virtual one or headless."""
    reporter = Reporter(debug=debug)
    try:
        from napari_tessera.widgets.demo import run_demo

        with reporter.warnings_as_lines():
            return run_demo(output)
    except Exception as error:
        reporter.error(error)
        return 1


def run_command(arguments: Sequence[str] | None) -> int:
    """Run the command that the words name; see `napari_tessera.cli.run`."""
    words = None if arguments is None else list(arguments)
    try:
        status = app(args=words, prog_name=NAME, standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except Exception as error:
        line = usage_line(error)
        if line is None:
            raise
        if line:
            print(line, file=sys.stderr)
        return 2
    return int(status or 0)
