"""A process that loads the engine once, and forks a run whenever a line asks for one.

Reads one JSON object a line, ``{"source", "store", "resume", "die_at", "stop_after",
"settings"}``, and answers with JSON lines: ``{"pid"}``, then the run's own ``{"tiles"}`` as they
are finished and ``{"finished", "forwards", "events", "events_at_stop"}`` at its end, then
``{"status"}``, the exit status (−9 for SIGKILL). A run with ``die_at`` kills itself, as kill −9
does, before its n-th look at, or change of, a file below the store; one with ``stop_after`` is
cancelled after so many tiles.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path
from threading import Event, Lock
from typing import Any

import torch
import zarr  # noqa: F401
from torch import nn

from napari_tessera.models import load_model
from napari_tessera.prediction import Progress, predict_to_disk
from napari_tessera.stacks import open_stack

FILE_EVENTS = ("open", "os.", "shutil.")


class Sharpen(nn.Module):
    """One 3×3 convolution: reach 1, period 1. Counts the runs of all its copies."""

    forwards = 0

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        weight = torch.full((3, 3), -0.1)
        weight[1, 1] = 1.9
        self.layer.weight = nn.Parameter(weight[None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Sharpen.forwards += 1
        return self.layer(x)


def watch_files(store: Path, die_at: int | None) -> list[int]:
    """Count what is done to files of a store and its like-named neighbours; die where asked."""
    counted = [0]
    lock = Lock()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not event.startswith(FILE_EVENTS):
            return
        if not any(isinstance(a, str | os.PathLike) and store.name in str(a) for a in arguments):
            return
        with lock:
            if counted[0] == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            counted[0] += 1

    sys.addaudithook(hook)
    return counted


def run(job: dict[str, Any], answers: int) -> None:
    def say(**facts: Any) -> None:
        # one write, so that lines of no two processes mix
        os.write(answers, (json.dumps(facts) + "\n").encode())

    torch.set_num_threads(1)
    model = load_model(Sharpen().eval(), device="cpu")
    model.geometry  # noqa: B018
    store = Path(job["store"])
    finished: list[int] = []
    cancel = Event()
    at_stop: list[int] = []

    def progress(state: Progress) -> None:
        if state.finished:
            finished.extend(state.finished)
            say(tiles=state.done)
        if job["stop_after"] is not None and state.done >= job["stop_after"]:
            at_stop.append(counted[0])
            cancel.set()

    with open_stack(job["source"], "YX") as stack:
        counted = watch_files(store, job.get("die_at"))
        before = Sharpen.forwards
        predict_to_disk(
            stack,
            model,
            store,
            resume=job["resume"],
            progress=progress,
            cancel=cancel,
            **job["settings"],
        )
    say(
        finished=finished,
        forwards=Sharpen.forwards - before,
        events=counted[0],
        events_at_stop=at_stop[0] if at_stop else None,
    )


def main() -> None:
    answers = os.dup(1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore", DeprecationWarning)
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                run(job, answers)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        os.write(answers, (json.dumps({"pid": pid}) + "\n").encode())
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(answers, (json.dumps({"status": status}) + "\n").encode())


if __name__ == "__main__":
    main()
