"""What a pixel costs in images of several sizes: from Zarr to Zarr, with a network of no cost.

    python -m benchmarks.scaling [--sizes 2048 4096 8192 16384] [--model NAME] [--rounds 3] [--json]

By turns in one process. Without a network the cost is that of planning, reading, tiling and
writing; with `--model builtin:denoise2d` the network's cost stands in front of it all.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks.goals import Goal, print_goals
from benchmarks.peers.disk import Disk, Mean
from benchmarks.rounds import interleaved

from napari_tessera import load_model

SETTINGS = {"patch_size": 256, "overlaps": 48}
WITHIN = 1.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2048, 4096, 8192, 16_384])
    parser.add_argument("--model", help="default: the mean of 3 × 3 pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where images go; default: a temporary folder")
    parser.add_argument("--cpu-time", action="store_true", help="of this process, not the clock's")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = load_model(options.model or Mean(), device="cpu", precision="float32")
    with tempfile.TemporaryDirectory(dir=options.folder, ignore_cleanup_errors=True) as folder:
        disks = {f"{size}²": Disk(Path(folder) / str(size), size) for size in options.sizes}

        def clear() -> None:
            for disk in disks.values():
                disk.clear()

        # once, untimed: what is measured of a model is kept
        next(iter(disks.values())).ours(model, **SETTINGS)()
        clear()
        timings = interleaved(
            {name: disk.ours(model, **SETTINGS) for name, disk in disks.items()},
            options.rounds,
            warm=False,
            after=clear,
            clock=time.process_time if options.cpu_time else time.perf_counter,
        )
    # seconds become nanoseconds a pixel
    for (name, seconds), size in zip(timings.seconds.items(), options.sizes, strict=True):
        timings.seconds[name] = [1e9 * took / size**2 for took in seconds]
    dearest = max(timings.seconds, key=timings.median)
    cheapest = timings.best(*timings.seconds)
    goal = Goal(
        f"a pixel of {dearest}, against one of {cheapest}",
        *timings.ratio(dearest, cheapest),
        WITHIN,
        at_most=True,
    )
    if options.json:
        print(json.dumps({"ns_per_pixel": timings.seconds, "goals": [goal.to_json()]}))
        return
    print("| image | ns a pixel | least | most |\n|---|--:|--:|--:|")
    for name in timings.seconds:
        low, high = timings.spread(name)
        print(f"| {name} | {timings.median(name):.1f} | {low:.1f} | {high:.1f} |")
    print()
    print_goals([goal])


if __name__ == "__main__":
    main()
