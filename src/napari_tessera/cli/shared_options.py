"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from napari_tessera.cli.choices import ProgressStyle

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Source = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="Image: TIFF, or a folder or pattern of TIFFs; Zarr, OME-Zarr; HDF5 (a.h5#/dataset); "
        "what bioio reads.",
        show_default=False,
    ),
]
Axes = Annotated[
    str | None,
    typer.Option(help="Axes of INPUT, letters out of STCZYX; found out where not given."),
]
Progress = Annotated[
    ProgressStyle,
    typer.Option(help="On stderr: a bar (if it is a terminal), JSON lines, or none."),
]


def parsed(option: str, parse: Any, text: str | list[str] | None) -> Any:
    """What is typed after an option as a value; what is wrong with it names the option."""
    try:
        return parse(text)
    except typer.BadParameter as error:
        error.param_hint = option
        raise
