"""``napari-tessera bench``: what this machine does with a model, measured and printed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from napari_tessera.cli.interrupts import Interrupted, Interrupts
from napari_tessera.cli.reporting import NAME, Reporter, visible

if TYPE_CHECKING:
    from napari_tessera.prediction.tuning.machine import MachineReport
    from napari_tessera.prediction.tuning.stopping import MeasuringProgress, Tell

STOPPING = b"\nstopping (Ctrl+C again: at once)\n"


@dataclass(frozen=True)
class BenchJob:
    """What was asked for.

    Parameters
    ----------
    model : str
        What `load_model` takes.
    size : int or None
        Edge of the image in pixels; None for the usual one.
    device, precision : str
        What `load_model` takes.
    threads : int or None
        Threads of the model on a CPU; None for torch's choice.
    """

    model: str
    size: int | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None


def run_bench(job: BenchJob, reporter: Reporter, *, as_json: bool) -> int:
    """Measure, and print what was found.

    Returns
    -------
    int
        Exit status: 0 done, 1 failed while measuring, 2 where what was asked for cannot be
        measured, 130 or 143 stopped by SIGINT or SIGTERM.
    """
    with Interrupts(lambda: STOPPING) as interrupts:
        try:
            with reporter.warnings_as_lines():
                report = _measured(job, reporter, interrupts)
            if report is None:
                return 2
        except Interrupted:
            report = None
        except Exception as error:
            if not interrupts.cancel.is_set():
                reporter.error(error)
                return 1
            report = None
        if report is None or interrupts.cancel.is_set():
            reporter.stopped("interrupted: nothing was measured to its end")
            return interrupts.exit_status

        from napari_tessera.cli import bench_text

        if as_json:
            print(bench_text.as_json(report))
        else:
            bench_text.show(report, Console())
    return 0


def _measured(job: BenchJob, reporter: Reporter, interrupts: Interrupts) -> MachineReport | None:
    """What was measured; None where that was refused, and why was said."""
    # torch takes seconds to import: what can be wrong without it is found before
    interrupts.load("torch")
    from napari_tessera.models import ModelError, load_model
    from napari_tessera.prediction.tuning.machine import (
        SECONDS,
        SIZE,
        check_size,
        measure_machine,
    )
    from napari_tessera.prediction.tuning.stopping import MeasuringStoppedError

    size = SIZE if job.size is None else job.size
    try:
        model = load_model(job.model, device=job.device, precision=job.precision)
        check_size(model, size)
    except (ModelError, ValueError, OSError) as error:
        reporter.error(error)
        return None
    print(
        f"{NAME}: measuring {visible(model.name)} on {model.device} for up to {SECONDS:.0f} s "
        "(Ctrl+C stops)",
        file=sys.stderr,
        flush=True,
    )
    interrupts.guard()
    try:
        with _bar() as tell:
            return measure_machine(
                model,
                size=size,
                torch_threads=job.threads,
                seconds=SECONDS,
                cancel=interrupts.cancel,
                progress=tell,
            )
    except MeasuringStoppedError:
        raise Interrupted(interrupts.signum or 0) from None


@contextmanager
def _bar() -> Iterator[Tell]:
    """A bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    bar = Progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}", style="dim"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task("", total=1.0)

    def tell(progress: MeasuringProgress) -> None:
        facts: dict[str, Any] = {"completed": progress.part, "description": progress.doing}
        bar.update(task, **facts)

    with bar:
        yield tell
