"""The commands ``models list``, ``models info``, ``models check`` and ``models export``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_tessera.cli.reporting import Reporter
from napari_tessera.cli.shared_options import AsJson, Debug

models = typer.Typer(
    name="models", help="List models, say what one is, test it, or export it.", no_args_is_help=True
)

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="builtin:denoise2d, builtin:denoise3d, or a model's file or folder.",
        show_default=False,
    ),
]


@models.command(name="list")
def list_models(as_json: AsJson = False, debug: Debug = False) -> int:
    """List built-in models, and those used last."""
    from napari_tessera.cli.inspecting import show_models

    return show_models(Reporter(debug=debug), as_json=as_json)


@models.command(name="info")
def describe(model: ModelName, as_json: AsJson = False, debug: Debug = False) -> int:
    """Print what MODEL takes and gives, how far it looks, who made it, and its hash."""
    from napari_tessera.cli.inspecting import show_model

    return show_model(model, Reporter(debug=debug), as_json=as_json)


@models.command()
def check(model: ModelName, as_json: AsJson = False, debug: Debug = False) -> int:
    """Run the test that MODEL's package brings.

    Exit status: 0 passed, or there is none and MODEL runs; 1 failed, or it cannot be loaded.
    """
    from napari_tessera.cli.checking import check_model

    return check_model(model, Reporter(debug=debug), as_json=as_json)


class ExportFormat(StrEnum):
    """Formats of other software."""

    bioimageio = "bioimageio"
    torchscript = "torchscript"
    careamics = "careamics"


@models.command()
def export(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A model trained here (.safetensors).", show_default=False
        ),
    ],
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="Where to: a BioImage.IO package (.zip), TorchScript (.pt), or a checkpoint of "
            "CAREamics 0.3 (.ckpt).",
            show_default=False,
        ),
    ],
    format: Annotated[
        ExportFormat | None,
        typer.Option(help="Format of OUT; what its ending says if not given."),
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Who made the model; may be given several times."),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(metavar="SPDX", help="Licence of the model, like CC-BY-4.0 or MIT."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
    debug: Debug = False,
) -> int:
    """Write MODEL in the format of other software.

    Exit status: 0 done, 1 failed, 2 bad usage.
    """
    from napari_tessera.cli.exporting import ExportJob, export_trained
    from napari_tessera.models.exporting import chosen_format

    try:
        chosen = chosen_format(output, None if format is None else format.value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    job = ExportJob(
        model=model,
        output=output,
        format=chosen,
        authors=tuple(author or ()),
        licence=licence,
        overwrite=overwrite,
    )
    return export_trained(job, Reporter(debug=debug))
