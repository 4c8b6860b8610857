"""Random patch reads per second from each kind of file, against a bare read of the same bytes.

Both read the same 256 × 256 patches at the same random positions, by turns within one run, so that
whatever else the machine does slows both. Files are in the system's cache: this is the reader's
own time, not the disk's. Run it from the checkout's root:

    python -m benchmarks.stacks_table
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .backends import BACKENDS, Backend, Read, positions


def seconds(read: Read, at: tuple[int, int, int]) -> float:
    """Time of one read; what was read is let go of afterwards."""
    began = time.perf_counter()
    block = read(*at)
    taken = time.perf_counter() - began
    del block
    return taken


def by_turns(ours: Read, bare: Read, where: Sequence[tuple[int, int, int]]) -> list[list[float]]:
    """Times of both at all positions, in seconds.

    One is half the positions behind the other: read one after the other, a patch would lie in the
    processor's cache, or in one that a library shares between its open files, for the second.
    """
    behind = [*where[len(where) // 2 :], *where[: len(where) // 2]]
    times: list[list[float]] = [[], []]
    for one, other in zip(where, behind, strict=True):
        times[0].append(seconds(ours, one))
        times[1].append(seconds(bare, other))
    return times


def compare(backend: Backend, reads: int) -> list[list[float]]:
    """Times of our reads and of bare ones, after a check that both read the same pixels."""
    with tempfile.TemporaryDirectory() as folder, backend.opened(Path(folder)) as (ours, bare):
        for at in positions(min(20, reads), seed=1):
            found = ours(*at)
            assert found.flags.owndata or found.base.flags.owndata
            np.testing.assert_array_equal(found, bare(*at))
        gc.collect()
        gc.disable()
        try:
            return by_turns(ours, bare, positions(reads))
        finally:
            gc.enable()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="reads per second, ours against bare")
    parser.add_argument("--reads", type=int, help="patches that are read of each kind")
    parser.add_argument("--only", default="", help="kinds whose name holds this text")
    arguments = parser.parse_args()
    row = "| {:<36} | {:<24} | {:>10} | {:>10} | {:>5} | {:>5} |"
    print(row.format("kind", "bare read", "ours/s", "bare/s", "ratio", "all"))
    print("|" + "|".join("-" * width for width in (38, 26, 12, 12, 7, 7)) + "|")
    for name, backend in BACKENDS.items():
        if arguments.only.lower() not in name.lower():
            continue
        ours, bare = compare(backend, arguments.reads or backend.reads)
        rates = [1 / statistics.median(times) for times in (ours, bare)]
        print(
            row.format(
                name,
                backend.called,
                f"{rates[0]:,.0f}",
                f"{rates[1]:,.0f}",
                f"{rates[0] / rates[1]:.2f}",
                f"{sum(bare) / sum(ours):.2f}",
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
