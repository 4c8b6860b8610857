"""This package against others, and against the machine: one network, the same tiles, by turns.

    tox -e bench -- [--part cpu|zarr|free] [--quick] [--rounds N] [--keep FILE] [--json]

or `python -m benchmarks.compare` where what stands in `benchmarks/requirements-compare.txt` is
installed. All ways of a part run in one process, by turns, on the CPU. `cpu` is an array of 1,024²
through a checkpoint that CAREamics wrote; `zarr` the same network from Zarr to Zarr, against array
to array; `free` Zarr to Zarr with a network of no cost. With `--keep` rounds are added to those of
earlier calls, so that long parts can be run piece by piece.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.goals import Goal, print_goals
from benchmarks.peers import ways
from benchmarks.peers.checkpoint import make_checkpoint, noisy_image, quiet
from benchmarks.peers.disk import Disk, Mean, careamist_of_mean
from benchmarks.rounds import Timings, interleaved

from napari_tessera import load_model, predict

CLOSE = 1e-5
"""Largest difference of results, as a share of the range."""

SOFTWARE = ("torch", "careamics", "monai", "torch-em", "zarr", "numpy", "napari-tessera")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--rounds", type=int, help="default: 5; of zarr, and with --quick, 2")
    parser.add_argument("--size", type=int, help="edge of the image; default: that of the goal")
    parser.add_argument("--quick", action="store_true", help="small images, few rounds")
    parser.add_argument("--keep", type=Path, help="file of rounds that are added to")
    parser.add_argument("--folder", type=Path, help="where images go; default: a temporary folder")
    parser.add_argument(
        "--cpu-time", action="store_true", help="of this process, where others use the cores too"
    )
    parser.add_argument("--json", action="store_true", help="JSON in the place of tables")
    options = parser.parse_args()
    options.clock = time.process_time if options.cpu_time else time.perf_counter
    found: dict[str, Any] = {"machine": machine()}
    if not options.json:
        print(*(f"{name}: {value}" for name, value in found["machine"].items()), sep="\n")
    with tempfile.TemporaryDirectory(dir=options.folder, ignore_cleanup_errors=True) as folder:
        for part in options.part:
            # a round of zarr takes minutes: more are added by further calls with --keep
            few = options.quick or part == "zarr"
            own = {**vars(options), "rounds": options.rounds or (2 if few else 5)}
            timings, goals = PARTS[part](argparse.Namespace(**own), Path(folder))
            if options.json:
                found[part] = {
                    "seconds": timings.seconds,
                    "goals": [goal.to_json() for goal in goals],
                }
                continue
            print(f"\n{part}\n")
            timings.print()
            print()
            print_goals(goals)
    if options.json:
        print(json.dumps(found, indent=1))


def machine(software: tuple[str, ...] = SOFTWARE) -> dict[str, str]:
    """What the figures depend on."""
    versions = {}
    for name in software:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": f"{_processor()}, {torch.get_num_threads()} threads",
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor()


def checkpoint_in(folder: Path, **settings: Any) -> Path:
    """A checkpoint of CAREamics, made without its words on standard output."""
    import careamics  # noqa: F401

    quiet()
    with contextlib.redirect_stdout(sys.stderr):
        path = make_checkpoint(folder / "training", **settings)
    quiet()
    return path


def cpu(options: argparse.Namespace, folder: Path) -> tuple[Timings, list[Goal]]:
    """An array through one network, in every way."""
    size = options.size or (512 if options.quick else 1024)
    image, side = noisy_image(size), 2048 if options.quick else 4096
    checkpoint = checkpoint_in(folder)
    grey = ways.Grey.of(checkpoint)
    plain, model = (ways.loaded(checkpoint, prepare=prepare) for prepare in (False, True))
    network, prepared = ways.network_of(plain), ways.network_of(model)
    matrix = torch.randn(side, side)

    def careamics(batch: int, workers: int | None = None) -> ways.Way:
        return ways.careamics(checkpoint, folder, image, batch, workers)

    best_batch, best_workers = _best_of_careamics(careamics, quick=options.quick)
    best = f"CAREamics, batch {best_batch}, workers {best_workers} (its best)"
    all_ways: dict[str, Callable[[], Any]] = {
        "bare loop, batch 1": ways.bare_loop(network, image, grey),
        "bare loop, batch 4": ways.bare_loop(network, image, grey, 4),
        "bare loop, our network": ways.bare_loop(prepared, image, grey),
        "whole image": ways.whole_image(network, image, grey),
        "CAREamics, batch 1": careamics(1),
        "CAREamics, batch 4": careamics(4),
        best: careamics(best_batch, best_workers),
        "MONAI, batch 4": ways.monai(network, image, grey),
        "torch-em": ways.torch_em(network, image, grey),
        "torch-em, our network": ways.torch_em(prepared, image, grey),
        "ours, unprepared": ways.ours(plain, image),
        "ours": ways.ours(model, image),
        "ours, planned each time": ways.ours(model, image, plan_each_time=True),
        "matrix product": lambda: matrix @ matrix,
    }
    check(all_ways, size)
    timings = interleaved(all_ways, options.rounds, warm=False, clock=options.clock)
    timings.keep(options.keep, f"cpu {size}")
    best = timings.best("CAREamics, batch 1", "CAREamics, batch 4", best)
    work = ways.flops_per_pixel(plain.loaded.network) * ways.PATCH**2 * len(ways.tiles_of(size))
    product = work / (2 * side**3)

    def of_limit(name: str) -> tuple[float, ...]:
        return tuple(product * share for share in timings.ratio("matrix product", name))

    return timings, [
        Goal(
            "`predict`, against the bare loop with the same network",
            *timings.ratio("ours", "bare loop, our network"),
            1.03,
            at_most=True,
        ),
        Goal("against CAREamics, batch 4", *timings.ratio("CAREamics, batch 4", "ours"), 2.5),
        Goal(f"against {best}", *timings.ratio(best, "ours"), 1.85),
        Goal("against MONAI, batch 4", *timings.ratio("MONAI, batch 4", "ours"), 2.0),
        Goal(
            "unprepared, against torch-em",
            *timings.ratio("torch-em", "ours, unprepared"),
            1.0,
        ),
        Goal("against torch-em", *timings.ratio("torch-em", "ours"), 1.6),
        Goal(
            "against torch-em with our network",
            *timings.ratio("torch-em, our network", "ours"),
            None,
        ),
        Goal(
            "planned each time, against CAREamics, batch 4",
            *timings.ratio("CAREamics, batch 4", "ours, planned each time"),
            None,
        ),
        Goal("share of the matrix product's rate", *of_limit("ours"), 0.7),
        Goal("the same of the bare loop", *of_limit("bare loop, our network"), None),
    ]


def _best_of_careamics(
    careamics: Callable[[int, int | None], ways.Way], *, quick: bool
) -> tuple[int, int | None]:
    """The batch size and workers that CAREamics is fastest with, each tried once."""
    tried = {}
    for batch in (1, 4) if quick else (1, 2, 4, 8):
        for workers in (None, 0):
            way = careamics(batch, workers)
            began = time.perf_counter()
            way()
            # workers are other processes: only the clock on the wall sees them
            tried[batch, workers] = time.perf_counter() - began
    return min(tried, key=tried.__getitem__)


def check(all_ways: dict[str, Callable[[], Any]], size: int) -> None:
    """Run everything once: all must give what CAREamics gives, where its tiles are theirs."""
    expected = all_ways["CAREamics, batch 1"]()
    here = ways.inner(size)
    for name, way in all_ways.items():
        if name == "matrix product":
            continue
        elsewhere = name.startswith(("MONAI", "torch-em", "whole"))
        # tiles whose halo is a little shorter than the network's reach are not the whole image
        off = np.abs(way() - expected)[here if elsewhere else ...].max() / np.ptp(expected)
        print(f"{name}: {off:.1e} of the range from CAREamics", file=sys.stderr)
        if off > CLOSE:
            raise SystemExit(f"{name} differs from CAREamics by {off:.1e} of the range")


def zarr(options: argparse.Namespace, folder: Path) -> tuple[Timings, list[Goal]]:
    """Zarr to Zarr, against array to array, with the same tiles and one network."""
    disk = Disk(folder, options.size or (1024 if options.quick else 8192))
    model = ways.loaded(checkpoint_in(folder), prepare=True)
    settings = {"patch_size": ways.PATCH, "overlaps": ways.OVERLAP}
    predict(disk.image[:512, :512], model, **settings)
    timings = interleaved(
        {
            "array to array": lambda: predict(
                disk.image, model, output_dtype="input", batch_size=1, **settings
            ),
            "Zarr to Zarr": disk.ours(model, **settings),
        },
        options.rounds,
        warm=False,
        after=disk.clear,
        clock=options.clock,
    )
    timings.keep(options.keep, f"zarr {disk.size}")
    ratio = timings.ratio("Zarr to Zarr", "array to array")
    return timings, [
        Goal(f"Zarr to Zarr, {disk.size}², against array to array", *ratio, 1.1, at_most=True)
    ]


def free(options: argparse.Namespace, folder: Path) -> tuple[Timings, list[Goal]]:
    """Zarr to Zarr with a network of no cost: against a bare copy, and CAREamics."""
    large = Disk(folder, options.size or (2048 if options.quick else 8192))
    small = Disk(folder, min(large.size, 2048 if options.quick else 4096))
    model = load_model(Mean(), device="cpu", precision="float32")
    settings = {"patch_size": ways.PATCH, "overlaps": ways.OVERLAP}
    own, bare = f"ours, {large.size}²", f"bare copy, {large.size}²"
    auto = f"ours, tiles of its own choice, {large.size}²"
    same = f"ours, float32, {small.size}²"
    theirs = f"CAREamics, {small.size}²"
    alone = f"CAREamics, no workers, {small.size}²"
    checkpoint = checkpoint_in(folder, normalization="none", model={"depth": 1})
    careamist = careamist_of_mean(checkpoint, folder)
    all_ways = {
        bare: large.bare(),
        own: large.ours(model, **settings),
        auto: large.ours(model),
        same: small.ours(model, dtype="float32", **settings),
        theirs: small.careamics(careamist, checkpoint, None),
        alone: small.careamics(careamist, checkpoint, 0),
    }
    results = []
    for name in (same, theirs):
        all_ways[name]()
        results.append(small.written())
        small.clear()
    off = np.abs(results[0] - results[1]).max() / np.ptp(results[1])
    if off > CLOSE:
        raise SystemExit(f"ours differs from CAREamics by {off:.1e} of the range")

    def clear() -> None:
        large.clear()
        small.clear()

    timings = interleaved(all_ways, options.rounds, warm=False, after=clear, clock=options.clock)
    timings.keep(options.keep, f"free {large.size}")
    best = timings.best(theirs, alone)
    return timings, [
        Goal("network of no cost, against a bare copy", *timings.ratio(bare, own), 0.7),
        Goal("the same, tiles of its own choice", *timings.ratio(bare, auto), 0.7),
        Goal("network of no cost, against CAREamics' best", *timings.ratio(best, same), 5.0),
    ]


PARTS = {"cpu": cpu, "zarr": zarr, "free": free}


if __name__ == "__main__":
    main()
