"""How often a chunk is decoded in a run over a wide plane: counted, so that no clock matters.

    python -m benchmarks.decodes

Tiles of 256² that overlap by 48, row by row, over 2,048 rows. What stands for the file only counts
what is asked of it.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching import TiledPatching
from napari_tessera.stacks.reading.chunks_once import ChunksOnce
from napari_tessera.stacks.reading.expected import ExpectedReads, Parts, ReadOrder

ROWS, PATCH, OVERLAP = 2048, 256, 48
CASES = (
    (32_768, 256, "uint16"),
    (32_768, 512, "uint16"),
    (32_768, 1024, "uint16"),
    (32_768, 512, "float32"),
)


class Counting:
    """Zeros, and how many of them were asked for."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.pixels = 0

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        block = np.zeros([part.stop - part.start for part in index], self.dtype)
        self.pixels += block.size
        return block


def decoded(width: int, chunk: int, dtype: str, *, is_known: bool) -> tuple[float, int]:
    """Times that a pixel is decoded, and the most bytes that were kept."""
    axes = TiledPatching([(1, 1, ROWS, width)], (PATCH, PATCH), (OVERLAP, OVERLAP)).axes(0)
    rows, columns = (
        [(start, start + PATCH) for start in (axis.tile(i)[0] for i in range(axis.n))]
        for axis in axes
    )
    reads = ExpectedReads({"Y": Parts.of(rows), "X": Parts.of(columns)})
    data = Counting(dtype)
    edges = [range(0, ROWS + 1, chunk), range(0, width + 1, chunk)]
    once = ChunksOnce(data, edges, np.dtype(dtype), ReadOrder(reads, "YX") if is_known else None)
    most = 0
    for row, column in product(rows, columns):
        once[slice(*row), slice(*column)]
        most = max(most, once.nbytes)
    return data.pixels / (ROWS * width), most


def main() -> None:
    """Print a row for each case, as a Markdown table."""
    print("| width, chunks | known reads | those used last, in the same memory | kept |")
    print("|---|--:|--:|--:|")
    for width, chunk, dtype in CASES:
        known, most = decoded(width, chunk, dtype, is_known=True)
        last, _ = decoded(width, chunk, dtype, is_known=False)
        name = f"{width:,}, {chunk:,}² `{dtype}`"
        print(f"| {name} | {known:.2f} | {last:.2f} | {most / 1e6:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
