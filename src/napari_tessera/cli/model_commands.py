"""The commands ``models list``, ``models info`` and ``models check``."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_tessera.cli.reporting import Reporter
from napari_tessera.cli.shared_options import AsJson, Debug

models = typer.Typer(
    name="models", help="List models, say what one is, or test it.", no_args_is_help=True
)

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="builtin:denoise2d, or a model's file or folder.",
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
