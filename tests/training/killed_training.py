"""A process that trains in children of its own, which kill −9 themselves at a file's write.

Takes one JSON object as its argument, ``{"source", "whole", "model_out", "settings", "die_at"}``.
First nothing disturbs the training of ``whole``. Then for each number n of ``die_at`` a training of
``model_out`` goes on with what the one before has left, and dies before its n-th look at, or change
of, a file of that name or one beside it; the last one ends by itself. Prints their exit statuses as
JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import torch

from napari_tessera import open_stack
from napari_tessera.training import TrainingSettings, train
from napari_tessera.training.loop.trainer import Trainer


def watch_files(model: Path, die_at: int) -> None:
    """Die where asked."""
    counted = [0]
    lock = threading.Lock()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not event.startswith(("open", "os.")):
            return
        if not any(isinstance(a, str | os.PathLike) and model.name in str(a) for a in arguments):
            return
        with lock:
            if counted[0] == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            counted[0] += 1

    sys.addaudithook(hook)


def run(job: dict[str, Any], model: Path, die_at: int | None = None) -> None:
    if die_at is not None:
        watch_files(model, die_at)
    with open_stack(job["source"], "YX") as stack:
        train(
            stack,
            model,
            settings=TrainingSettings.from_json(job["settings"]),
            device="cpu",
            resume=True,
        )


def main() -> None:
    job = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    # loads all that the children need, too
    run(job, Path(job["whole"]))
    # the state is kept after each step, not each minute
    defaults = Trainer.__init__.__kwdefaults__
    assert "checkpoint_seconds" in defaults
    defaults["checkpoint_seconds"] = 0.0
    statuses = []
    for die_at in (*job["die_at"], None):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                run(job, Path(job["model_out"]), die_at)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    print(json.dumps(statuses))


if __name__ == "__main__":
    main()
