"""A run of very many blocks of one small tile: what a block costs each of its processes."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import zarr
from benchmarks.cluster_parts.processes import Processes
from benchmarks.cluster_parts.watching import Seen, Watch
from benchmarks.goals import Goal, print_goals
from benchmarks.peers.disk import Mean

from napari_tessera import load_model, open_stack, predict_to_disk
from napari_tessera.prediction.cluster import cluster_client
from napari_tessera.writing.stored import block_choice

EDGE = 32
"""Pixels of a plane along Y and X; a plane is a tile, a chunk, and a block."""

INPUT_PLANES = 64
"""Planes in a chunk of the image."""

SCHEDULER_MB = 1000
"""What the scheduler may have."""

MARKS = (0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Where the run is looked at: shares of its blocks."""


def measured(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run it; prints tables unless JSON is wanted."""
    n_blocks = options.blocks or (1000 if options.quick else 100_000)
    image, model = make_image(folder / "planes.zarr", n_blocks), make_model(folder / "mean.pt")
    with ExitStack() as stack:
        processes = stack.enter_context(Processes(folder, options.workers))
        client = stack.enter_context(cluster_client(processes.address))
        client.wait_for_workers(options.workers, timeout=120)
        watch = stack.enter_context(Watch(client, processes, n_blocks))
        # blocks of one tile, which the engine would take for a waste
        stack.enter_context(patch.object(block_choice, "UNEVEN", 1e6))
        predict_to_disk(
            open_stack(image, "TYX"),
            load_model(str(model), device="cpu", precision="float32"),
            folder / "planes_out.ome.zarr",
            output_dtype="input",
            chunks=(EDGE, EDGE),
            # without shards: each chunk may be a block
            ome_version="0.4",
            client=client,
            progress=watch.told,
        )
        watch.finished()
    seen = watch.at(MARKS)
    # without planning, and workers that load the model
    begun = next(one for one in watch.seen if one.done)
    peak = max(one.scheduler_mb for one in watch.seen)
    goals = [
        Goal(
            f"memory of the scheduler, {n_blocks:,} blocks",
            peak,
            min(one.scheduler_mb for one in watch.seen),
            peak,
            SCHEDULER_MB,
            at_most=True,
            unit="MB",
        )
    ]
    costs = cost_of_block(begun, seen[-1])
    if not options.json:
        print(f"\n{n_blocks:,} blocks of a tile of {EDGE}², {options.workers} workers\n")
        print_seen(seen)
        print()
        print_goals(goals, "the run")
        print("\n| a block, processor time | ms |\n|---|--:|")
        for name, milliseconds in costs.items():
            print(f"| {name} | {milliseconds:.2f} |")
    return {
        "blocks": n_blocks,
        "workers": options.workers,
        "seen": [vars(one) for one in watch.seen],
        "milliseconds_by_block": costs,
        "goals": [goal.to_json() for goal in goals],
    }


def make_image(path: Path, n_planes: int) -> Path:
    """Planes of noise; the noise of a chunk's planes is that of every chunk."""
    noise = np.random.default_rng(0).poisson(400, (INPUT_PLANES, EDGE, EDGE)).astype(np.uint16)
    array = zarr.create_array(
        path, shape=(n_planes, EDGE, EDGE), chunks=noise.shape, dtype=noise.dtype
    )
    for start in range(0, n_planes, INPUT_PLANES):
        array[start : start + INPUT_PLANES] = noise[: n_planes - start]
    return path


def make_model(path: Path) -> Path:
    """One convolution, in a file, as workers load models from files."""
    traced = torch.jit.trace(Mean().eval(), torch.zeros(1, 1, EDGE, EDGE))
    torch.jit.save(traced, path)
    return path


def cost_of_block(first: Seen, last: Seen) -> dict[str, float]:
    """Milliseconds of processor time a block, by process, and of the clock."""
    n = max(1, last.done - first.done)
    names = ("scheduler_cpu", "client_cpu", "workers_cpu", "seconds")
    labels = ("scheduler", "client", "workers, all", "of the clock")
    return {
        label: 1000 * (getattr(last, name) - getattr(first, name)) / n
        for label, name in zip(labels, names, strict=True)
    }


def print_seen(seen: list[Seen]) -> None:
    print("| blocks done | blocks/s | scheduler | client | a worker | tasks on the scheduler |")
    print("|--:|--:|--:|--:|--:|--:|")
    before = seen[0]
    for one in seen:
        span = one.seconds - before.seconds
        rate = f"{(one.done - before.done) / span:.0f}" if span > 0 else "–"
        cells = [f"{one.done:,}", rate, f"{one.scheduler_mb:.0f} MB", f"{one.client_mb:.0f} MB"]
        cells += [f"{one.worker_mb:.0f} MB", str(one.tasks)]
        print("|", " | ".join(cells), "|")
        before = one
    sys.stdout.flush()
