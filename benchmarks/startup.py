"""What napari's start takes longer for having this plugin installed.

    python -m benchmarks.startup [--rounds 15] [--cpu-time] [--json]

What napari does with a plugin when it starts: it finds the manifest, reads and indexes it, and
imports nothing of it until a contribution is used. Each process indexes all plugins that are
installed; in every other one this plugin is left out. Modules of the plugin that were imported are
told, and heavy ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

from benchmarks.goals import Goal, print_goals

START = """
import sys, time
import npe2
from npe2 import PluginManager
from npe2.manifest import schema
real = schema._from_dist
def chosen(dist):
    # asked of every distribution in both kinds of process, so that both pay for it
    ours = any(point.name == "napari-tessera" for point in dist.entry_points)
    return None if ours and sys.argv[1] == "without" else real(dist)
schema._from_dist = chosen
# what all plugins share: pydantic's models, importlib.metadata, YAML
import yaml, importlib.metadata
list(importlib.metadata.distributions())
clock = getattr(time, sys.argv[2])
began = clock()
manager = PluginManager.instance()
manager.discover()
list(manager.iter_manifests())
took = clock() - began
assert ("napari-tessera" in manager._manifests) == (sys.argv[1] == "with")
heavy = {"napari_tessera", "torch", "scipy", "zarr", "magicgui", "qtpy"} & sys.modules.keys()
print(1000 * took, *heavy)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cpu-time", action="store_true", help="not that of the clock")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, list[float]] = {"without": [], "with": []}
    heavy: set[str] = set()
    clock = "process_time" if options.cpu_time else "perf_counter"
    for _ in range(options.rounds):
        for name, times in found.items():
            command = [sys.executable, "-c", START, name, clock]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            took, *modules = output.split()
            times.append(float(took))
            if name == "with":
                heavy.update(modules)
    more = [a - b for a, b in zip(found["with"], found["without"], strict=True)]
    goal = Goal(
        "napari's start, with the plugin against without",
        statistics.median(found["with"]) - statistics.median(found["without"]),
        min(more),
        max(more),
        50,
        at_most=True,
        unit="ms",
    )
    if options.json:
        print(json.dumps({"ms": found, "heavy": sorted(heavy), "goals": [goal.to_json()]}))
        return
    for name, times in found.items():
        print(f"{name}: median {statistics.median(times):.0f} ms, least {min(times):.0f} ms")
    print("modules loaded:", ", ".join(sorted(heavy)) or "none")
    print_goals([goal])


if __name__ == "__main__":
    main()
