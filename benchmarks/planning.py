"""What the plan and the schedule of 10⁸ tiles take, each time in a process of its own.

    python -m benchmarks.planning [--rounds 5] [--json]

An image of 10,000 × 10,000 tiles of 64 pixels that lies nowhere (one value, broadcast), and a model
that does nothing: what is measured is planning, and handing out tiles at both ends of the grid.
Megabytes are of Python's allocations at the peak and of the process; seconds are taken in another
process than megabytes, as tracing slows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import tracemalloc

from benchmarks.goals import Goal, print_goals
from benchmarks.memory import MB, forget_peak, peak, resident

EDGE, TILE, OVERLAP = 10_000, 64, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--once", choices=["time", "memory"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        print(json.dumps(once(traced=options.once == "memory")))
        return
    found: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for what in ("time", "memory"):
            command = [sys.executable, "-m", "benchmarks.planning", "--once", what]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            for name, value in json.loads(output).items():
                if (name == "traced MB") == (what == "memory"):
                    found.setdefault(name, []).append(value)

    def goal(what: str, name: str, limit: float | None, unit: str) -> Goal:
        values = found[name]
        middle = statistics.median(values)
        return Goal(what, middle, min(values), max(values), limit, at_most=True, unit=unit)

    goals = [
        goal("plan and schedule of 10⁸ tiles, first time", "first ms", None, "ms"),
        goal("plan and schedule of 10⁸ tiles", "ms", 50, "ms"),
        goal("the same, memory of the process", "resident MB", 10, "MB"),
        goal("the same, Python's allocations", "traced MB", 10, "MB"),
    ]
    if options.json:
        print(json.dumps([goal.to_json() for goal in goals]))
    else:
        print_goals(goals)


def once(*, traced: bool) -> dict[str, float]:
    """Plan, and take a few thousand tiles off the schedule."""
    import numpy as np
    from benchmarks.peers.disk import Mean

    from napari_tessera import load_model, open_stack, plan_prediction
    from napari_tessera.prediction.schedule import Schedule

    def planned(edge: int) -> None:
        side = edge * (TILE - OVERLAP) + OVERLAP
        image = open_stack(np.broadcast_to(np.uint16(7), (side, side)), "YX")
        plan = plan_prediction(
            image, model, patch_size=TILE, overlaps=OVERLAP, batch_size=1, blending="crop"
        )
        schedule = Schedule(plan.tiles)
        assert schedule.n_wanted == edge**2, schedule.n_wanted
        for index in schedule.next(1000):
            schedule.finish(index)
        schedule.reorder(range(edge**2 - 1000, edge**2))
        for index in schedule.next(1000):
            schedule.finish(index)

    model = load_model(Mean(), device="cpu", precision="float32")
    # what is imported and measured of the model once, whatever the image
    began = time.perf_counter()
    planned(100)
    first = time.perf_counter() - began
    before = resident()
    forget_peak()
    if traced:
        tracemalloc.start()
    began = time.perf_counter()
    planned(EDGE)
    took = time.perf_counter() - began
    allocated = tracemalloc.get_traced_memory()[1] if traced else 0
    return {
        "first ms": 1000 * (first + took),
        "ms": 1000 * took,
        "resident MB": (peak() - before) / MB,
        "traced MB": allocated / MB,
    }


if __name__ == "__main__":
    main()
