"""What was measured of a machine, as a table for people and as JSON."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from napari_tessera import __version__
from napari_tessera.cli.reporting import json_text, visible

if TYPE_CHECKING:
    from napari_tessera.prediction.tuning.machine import MachineReport

_LIMITS = {
    "reading": "reading the image: a faster disk, or larger chunks, would help",
    "model": "the model: a faster device would help, faster disks would not",
    "writing": "writing the result: a faster disk, or lz4 compression, would help",
}


def as_json(report: MachineReport) -> str:
    """The report as one JSON object, with the versions that it was measured with."""
    import torch

    versions = {
        "napari_tessera": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
    return json_text({**report.to_json(), "versions": versions})


def show(report: MachineReport, console: Console) -> None:
    """Print the tables, and the tile and batch size to use.

    Parameters
    ----------
    report : MachineReport
        What was measured.
    console : Console
        Where it is printed.
    """
    console.print(_stages(report))
    console.print()
    console.print(_tiles(report))
    console.print()
    for line in _lines(report):
        console.print(line, highlight=False, soft_wrap=True)


def _stages(report: MachineReport) -> Table:
    where = report.device_name
    how = _count(report.threads, "thread") if report.device == "cpu" else report.precision
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(Text(visible(f"{report.model_name} on {where}, {how}")))
    table.add_column("speed", justify="right", no_wrap=True)
    best = report.tuned.best
    table.add_row("reading tiles from Zarr", _speed(report.read))
    table.add_row(
        f"the model, {_size(best.patch_size)} tiles that lie in memory",
        _speed(best.pixels_per_second),
    )
    table.add_row("writing OME-Zarr", _speed(report.write))
    table.add_row("all together, array to array", _speed(report.arrays))
    table.add_row("all together, Zarr to Zarr", _speed(report.zarrs))
    table.add_row(
        "dense products of matrices, float32", f"{report.matrix_flops / 1e9:,.0f} GFLOP/s"
    )
    if report.model_flops is not None:
        table.add_row(
            f"the model ({report.model_fraction:.0%} of that)",
            f"{report.model_flops / 1e9:,.0f} GFLOP/s",
        )
    return table


def _tiles(report: MachineReport) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("tile", "overlap", "batch", "time", "speed", ""):
        table.add_column(name, justify="left" if name in ("tile", "") else "right", no_wrap=True)
    best = report.tuned.best
    for one in report.tuned.table:
        table.add_row(
            _size(one.patch_size),
            _size(one.overlaps) if len(set(one.overlaps)) > 1 else str(one.overlaps[0]),
            str(one.batch_size),
            _time(one.seconds),
            _speed(one.pixels_per_second),
            "best" if one is best or one == best else "",
            style="bold" if one == best else None,
        )
    return table


def _lines(report: MachineReport) -> list[str]:
    lines = []
    if report.tuned.left_out:
        sizes = ", ".join(map(_size, report.tuned.left_out))
        lines.append(f"Not tried, as time or memory is short: {sizes}.")
    size = dict(zip(report.axes, report.shape, strict=True))["X"]
    if size < report.wanted_size:
        lines.append(
            f"Runs were measured on {size} px and not {report.wanted_size}, which would have taken "
            "too long."
        )
    lines.append(f"Zarr to Zarr is limited by {_LIMITS[report.limited_by]}.")
    lines.append(
        f"Use --patch-size {','.join(map(str, report.tuned.patch_size))} --batch-size "
        f"{report.tuned.batch_size}"
    )
    return lines


def _size(sizes: tuple[int, ...]) -> str:
    return " × ".join(map(str, sizes))


def _speed(pixels: float) -> str:
    megapixels = pixels / 1e6
    digits = 0 if megapixels >= 100 else 1 if megapixels >= 10 else 2
    return f"{megapixels:,.{digits}f} MP/s"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
