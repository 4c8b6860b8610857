"""What napari's start takes longer for having this plugin installed.

    python -m benchmarks.startup [--rounds 15] [--json]

What napari does with a plugin when it starts: it finds the manifest, reads and indexes it, and
imports nothing of it until a contribution is used. Each process indexes all plugins that are
installed; in every other one this plugin is left out. Heavy modules that were imported are told.
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
from npe2 import PluginManager, PluginManifest
real = PluginManifest.discover.__func__
def discover(cls, *a, **k):
    for found in real(cls, *a, **k):
        name = found.manifest.name if found.manifest else None
        if sys.argv[1] == "with" or name != "napari-tessera":
            yield found
PluginManifest.discover = classmethod(discover)
# what all plugins share: pydantic's models, importlib.metadata, YAML
import yaml, importlib.metadata
list(importlib.metadata.distributions())
began = time.perf_counter()
if sys.argv[1] == "with":
    import napari_tessera
manager = PluginManager.instance()
manager.discover()
list(manager.iter_manifests())
took = time.perf_counter() - began
assert ("napari-tessera" in manager._manifests) == (sys.argv[1] == "with")
heavy = [name for name in ("torch", "scipy", "zarr", "magicgui", "qtpy") if name in sys.modules]
print(1000 * took, *heavy)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, list[float]] = {"without": [], "with": []}
    heavy: set[str] = set()
    for _ in range(options.rounds):
        for name, times in found.items():
            command = [sys.executable, "-c", START, name]
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
    print("heavy modules loaded:", ", ".join(sorted(heavy)) or "none")
    print_goals([goal])


if __name__ == "__main__":
    main()
