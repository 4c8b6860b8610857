"""What measured figures mean for a hundred GPUs: arithmetic, with every assumption named.

    python -m benchmarks.cluster_parts.paper

prints the tables of ``docs/scaling.md``. Nothing here is measured; the numbers of `Costs` and
`Cluster` are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from napari_tessera.writing.chunks.chunking import choose_chunking
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.block_cells import TileCells
from napari_tessera.writing.stored.block_choice import choose_cut

MEGA = 1e6


@dataclass(frozen=True)
class Costs:
    """What was measured, or follows from the code.

    Parameters
    ----------
    scheduler_ms, client_ms : float
        Processor time a block.
    block_ms : float
        A worker's time a block beside its tiles, on a local disk.
    requests : int
        Times that a block waits for an object store, beside its pixels.
    model_mb : float
        Size of the model.
    """

    scheduler_ms: float = 6.2
    client_ms: float = 5.1
    block_ms: float = 25.0
    requests: int = 3
    model_mb: float = 1.3


@dataclass(frozen=True)
class Cluster:
    """What is assumed.

    Parameters
    ----------
    gpus : int
        Workers, of a GPU each.
    megapixels_s : float
        That one GPU makes of the result, overlap paid for.
    request_ms : float
        That an object store takes to answer.
    packed : float
        Bytes on disk of a byte of pixels.
    network_mb_s : float
        That the machine of the client sends.
    """

    gpus: int = 100
    megapixels_s: float = 100.0
    request_ms: float = 30.0
    packed: float = 0.75
    network_mb_s: float = 1000.0


@dataclass(frozen=True)
class Job:
    """An image and its cut (`BlockCut` says both).

    Parameters
    ----------
    name : str
        What it is.
    pixels : float
        All of them, of two bytes each, in and out.
    blocks : int
        How many there are.
    redundancy : float
        Tiles that are predicted for each that there is.
    """

    name: str
    pixels: float
    blocks: int
    redundancy: float


@dataclass(frozen=True)
class Estimate:
    """What follows; times in seconds."""

    hours: float
    block_s: float
    blocks_s: float
    scheduler_share: float
    client_share: float
    overhead_share: float
    read_gb_s: float
    write_gb_s: float
    lost_s: float


def planned(
    name: str, axes: str, shape: tuple[int, ...], tile: tuple[int, ...], gpus: int = 100
) -> Job:
    """A job with the cut that the engine chooses for so many workers.

    Parameters
    ----------
    name, axes, shape : str, str, tuple of int
        The image.
    tile : tuple of int
        Tile size along (Z)YX, in pixels; the overlap is that of the built-in networks.
    """
    overlaps = (8, 80, 80)[-len(tile) :]
    plan = {
        "input_axes": axes,
        "input_shape": list(shape),
        "fold": "Z" if "Z" in axes and len(tile) == 2 else "",
        "output_channels": None,
        "region_selection": {},
        "patch_size": list(tile),
        "overlaps": list(overlaps),
        "alignment": [4] * len(tile),
        "blending": "crop",
    }
    cells = TileCells.of_plan({"fingerprint_of": plan})
    order = OmeOrder(cells.region.axes, cells.region.selected_shape)
    steps = {
        letter: size - overlap
        for letter, size, overlap in zip("ZYX"[-len(tile) :], tile, overlaps, strict=True)
    }
    chunking = choose_chunking(order.disk_axes, order.disk_shape, steps, np.uint16)
    cut = choose_cut(cells, cells.region, chunking.shards or chunking.chunks, gpus)
    return Job(name, prod(shape), cut.n_blocks, cut.redundancy)


JOBS = (
    planned("T 2980 × Z 100 × 4096²", "TZYX", (2980, 100, 4096, 4096), (512, 512)),
    planned("one plane of 10⁶ × 10⁶", "YX", (10**6, 10**6), (512, 512)),
    planned("one volume of 8192 × 24,704²", "ZYX", (8192, 24_704, 24_704), (64, 256, 256)),
    planned("T 40,000 × 20,480²", "TYX", (40_000, 20_480, 20_480), (512, 512)),
)


def estimate(job: Job, costs: Costs, cluster: Cluster, *, remote: bool = True) -> Estimate:
    """Work out what a job takes.

    Parameters
    ----------
    remote : bool
        Whether image and result are in an object store.
    """
    rate = cluster.megapixels_s * MEGA / job.redundancy
    beside = (costs.block_ms + remote * costs.requests * cluster.request_ms) / 1000
    computing = job.pixels / job.blocks / rate
    block_s = computing + beside
    blocks_s = cluster.gpus / block_s
    # whole waves of blocks
    waves = -(-job.blocks // cluster.gpus)
    pixels_s = blocks_s * job.pixels / job.blocks
    return Estimate(
        hours=waves * block_s / 3600,
        block_s=block_s,
        blocks_s=blocks_s,
        scheduler_share=blocks_s * costs.scheduler_ms / 1000,
        client_share=blocks_s * costs.client_ms / 1000,
        overhead_share=beside / block_s,
        read_gb_s=pixels_s * job.redundancy * 2 * cluster.packed / 1e9,
        # levels are a third more
        write_gb_s=pixels_s * 4 / 3 * 2 * cluster.packed / 1e9,
        lost_s=block_s / 2,
    )


def model_seconds(costs: Costs, cluster: Cluster) -> float:
    """How long the model takes to all workers, sent once to each."""
    return costs.model_mb * cluster.gpus / cluster.network_mb_s


def most_gpus(block_s: float, costs: Costs, share: float = 0.5) -> int:
    """Workers that one scheduler and one client keep busy, each with a share of a core."""
    slowest = max(costs.scheduler_ms, costs.client_ms) / 1000
    return int(share / slowest * block_s)


def table(costs: Costs, cluster: Cluster) -> str:
    """All jobs, in Markdown."""
    lines = [
        "| image | blocks | twice | a block | blocks/s | scheduler | client | beside tiles | read |"
        " written | all of it |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for job in JOBS:
        found = estimate(job, costs, cluster)
        cells = [
            job.name,
            f"{job.blocks:,}",
            f"{job.redundancy - 1:.0%}",
            f"{found.block_s:.1f} s",
            f"{found.blocks_s:.1f}",
            f"{found.scheduler_share:.0%}",
            f"{found.client_share:.0%}",
            f"{found.overhead_share:.0%}",
            f"{found.read_gb_s:.1f} GB/s",
            f"{found.write_gb_s:.1f} GB/s",
            f"{found.hours * 60:.0f} min",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def limits(costs: Costs) -> str:
    """How many workers one scheduler feeds, by how long a block takes."""
    rows = (f"| {s:g} s | {most_gpus(s, costs):,} |" for s in (0.1, 1.0, 3.0, 10.0, 30.0))
    return "\n".join(["| a block takes | workers |", "|--:|--:|", *rows])


def main() -> None:
    print(table(Costs(), Cluster()), limits(Costs()), sep="\n\n")


if __name__ == "__main__":
    main()
