"""A process that loads the engine once, and forks a run in blocks whenever a line asks for one.

Reads one JSON object a line, ``{"source", "store", "as", "resume", "die_at", "stop_after",
"number", "run_id"}``, and answers with a line each: ``{"status", "events"}``. ``as`` is who
it is: ``"all"`` makes or reopens the image, does all its blocks and levels and finishes it;
``"begin"`` only makes it;
``"worker"`` does one block of an image that another process has begun; ``"alone"`` is a run of one
process. With ``die_at`` it kills itself, as kill −9 does, before its n-th look at, or change of,
a file below the store; with ``stop_after`` it ends, properly, after so many blocks or tiles.
"""

from __future__ import annotations

import json
import os
import random
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from block_runs import LENGTHS, clipping_job, do_blocks, do_levels
from killed_runs import watch_files

from napari_tessera.prediction.block_run import predict_block
from napari_tessera.writing.chunks import halves


def run(asked: dict[str, Any]) -> int:
    torch.set_num_threads(1)
    halves.SMALLEST_PLANE = 16
    job, where = clipping_job(np.load(asked["source"]), asked["dtype"]), Path(asked["store"])
    resume, stop = asked.get("resume", False), asked.get("stop_after")
    choice = random.Random(asked.get("seed", 0))
    counted = watch_files(where, asked.get("die_at"))
    if asked["as"] == "worker":
        predict_block(job.task(where, asked["run_id"]), asked["number"])
    elif asked["as"] == "begin":
        job.begin(where, lengths=LENGTHS).close()
    elif asked["as"] == "alone":
        job.alone(where, resume=resume, stop_after=stop)
    else:
        with job.begin(where, resume=resume, lengths=None if resume else LENGTHS) as store:
            if not store.completed:
                do_blocks(job, where, store, choice, n=stop)
                do_levels(job, where, store, choice)
                if stop is None:
                    store.finish()
                else:
                    store.stop()
    return counted[0]


def main() -> None:
    answers = os.dup(1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore", DeprecationWarning)
    for line in sys.stdin:
        asked = json.loads(line)
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.write(write, str(run(asked)).encode())
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        os.close(write)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with os.fdopen(read) as told:
            events = int(told.read() or 0)
        os.write(answers, (json.dumps({"status": status, "events": events}) + "\n").encode())


if __name__ == "__main__":
    main()
