"""What the cluster path costs: against one process, and by block.

    python -m benchmarks.cluster [--part overhead blocks] [--quick] [--keep FILE] [--json]

`overhead` is from Zarr to Zarr through `builtin:denoise2d`, by one process and by workers with as
many threads in all, by turns: a stack of planes, where blocks are planes, and one large plane,
where tiles on the border of two blocks are predicted by both. `blocks` is a hundred thousand blocks
of one small tile each, through one convolution: tasks, memory and processor time of scheduler,
client and workers, each a process of its own. The engine would never choose such blocks; what is
measured is what one costs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import zarr
from benchmarks.cluster_parts import blocks
from benchmarks.cluster_parts.images import PLANE, Image
from benchmarks.compare import machine
from benchmarks.goals import Goal, print_goals
from benchmarks.rounds import Timings, interleaved

from napari_tessera import load_model, predict_to_disk
from napari_tessera.prediction.cluster import cluster_client

MODEL = "builtin:denoise2d"
SOFTWARE = ("torch", "dask", "distributed", "zarr", "numpy", "napari-tessera")

PROCESS, WORKERS, STARTED = "one process × {}", "{} × 1", "{} × 1, started for it"
MOST = 1.10
"""What workers may take of the time of one process."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--image", nargs="+", choices=list(IMAGES), default=list(IMAGES))
    parser.add_argument(
        "--size", type=int, help="edge of planes; default 2048 (stack) and 8192; quick 512, 1024"
    )
    parser.add_argument("--planes", type=int, help="of the stack; default 16, quick 2")
    parser.add_argument("--rounds", type=int, help="default 3, quick 1")
    parser.add_argument("--blocks", type=int, help="default 100,000, quick 1,000")
    parser.add_argument("--workers", type=int, default=2, help="of both parts; a thread each")
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument("--keep", type=Path, help="file of rounds that are added to")
    parser.add_argument("--folder", type=Path, help="where images go; default: a temporary folder")
    parser.add_argument("--json", action="store_true", help="JSON in the place of tables")
    options = parser.parse_args()
    found: dict[str, Any] = {"machine": machine(SOFTWARE)}
    if not options.json:
        print(*(f"{name}: {value}" for name, value in found["machine"].items()), sep="\n")
    with tempfile.TemporaryDirectory(dir=options.folder, ignore_cleanup_errors=True) as folder:
        for part in options.part:
            found[part] = PARTS[part](options, Path(folder))
    if options.json:
        print(json.dumps(found, indent=1))


def overhead(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Workers against one process with as many threads."""
    n = options.workers
    if n < 2:
        raise ValueError(f"--workers {n} leaves nothing to compare; use 2 or more")
    rounds = options.rounds or (1 if options.quick else 3)
    # once for all ways: loading is no part of the comparison, what workers load is
    model = load_model(MODEL, device="cpu")
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        many, one = (stack.enter_context(_local(workers)) for workers in (n, 1))
        check_bytes(Image.stack(folder / "check", 2, 512), model, many)
        for name in options.image:
            image = IMAGES[name](folder / name, options)
            ways: dict[str, Callable[[], Any]] = {
                PROCESS.format(n): partial(_run, image, model, torch_threads=n),
                WORKERS.format(f"{n} workers"): partial(_run, image, model, client=many),
            }
            if name == "stack":
                ways |= {
                    STARTED.format(f"{n} workers"): partial(_run_started, image, model, n),
                    PROCESS.format(1): partial(_run, image, model, torch_threads=1),
                    WORKERS.format("1 worker"): partial(_run, image, model, client=one),
                }
            timings = interleaved(ways, rounds, warm=not options.quick, after=image.clear)
            timings.keep(options.keep, f"{image} by {n}")
            goals = overhead_goals(timings, n, str(image))
            if not options.json:
                print(f"\n{image} uint16, {MODEL}\n")
                timings.print()
                print()
                print_goals(goals)
            goals_of_all = [goal.to_json() for goal in goals]
            found[str(image)] = {"seconds": timings.seconds, "goals": goals_of_all}
            shutil.rmtree(image.folder)
    return found


def overhead_goals(timings: Timings, n: int, image: str) -> list[Goal]:
    process, workers = PROCESS.format(n), WORKERS.format(f"{n} workers")
    single, worker = PROCESS.format(1), WORKERS.format("1 worker")
    started = STARTED.format(f"{n} workers")
    # slow, fast, and what is wanted of the ratio
    pairs = [
        (f"{image}: {workers}, against {process}", workers, process, MOST),
        (f"{started}, against {process}", started, process, None),
        (f"{worker}, against {single}", worker, single, None),
        (f"{n} workers, faster than 1", worker, workers, None),
        (f"{process}, faster than × 1", single, process, None),
    ]
    return [
        Goal(what, *timings.ratio(slow, fast), limit, at_most=True)
        for what, slow, fast, limit in pairs
        if {slow, fast} <= timings.seconds.keys()
    ]


@contextmanager
def _local(workers: int) -> Iterator[Any]:
    with cluster_client("local", workers=workers, threads_per_worker=1) as client:
        yield client


def _run(image: Image, model: Any, **how: Any) -> Path:
    result = image.result()
    with warnings.catch_warnings():
        # what a run advises is no matter here
        warnings.simplefilter("ignore")
        predict_to_disk(image.open(), model, result, output_dtype="input", **how)
    return result


def _run_started(image: Image, model: Any, workers: int) -> None:
    with _local(workers) as client:
        _run(image, model, client=client)


def check_bytes(image: Image, model: Any, client: Any) -> None:
    """Raise unless workers write what one process with one thread writes."""
    expected = zarr.open_array(_run(image, model, torch_threads=1) / "0", mode="r")[...]
    found = zarr.open_array(_run(image, model, client=client) / "0", mode="r")[...]
    if (expected != found).any():
        raise AssertionError("workers and one process differ in their pixels")
    shutil.rmtree(image.folder)


IMAGES: dict[str, Callable[[Path, argparse.Namespace], Image]] = {
    "stack": lambda folder, given: Image.stack(
        folder,
        given.planes or (2 if given.quick else 16),
        given.size or (512 if given.quick else PLANE // 4),
    ),
    "plane": lambda folder, given: Image.plane(
        folder, given.size or (1024 if given.quick else PLANE)
    ),
}

PARTS: dict[str, Callable[[argparse.Namespace, Path], dict[str, Any]]] = {
    "overhead": overhead,
    "blocks": blocks.measured,
}


if __name__ == "__main__":
    main()
