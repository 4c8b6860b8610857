"""How fast a plane is written as chunks or shards, without and with the levels of a pyramid.

    python -m benchmarks.levels [--size 8192] [--folder FOLDER]

No network: tiles of 448² of a plane of noise go to the assembler row by row, in one thread.
The two are written in turn, three times; medians, of the time on the clock and of the processor's
(of all threads), which other programs at work disturb less. Beside them what zarr alone takes for
the same chunks, one after another, and what the codec takes of that.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.writing.chunks.assembler import ChunkAssembler
from napari_tessera.writing.chunks.chunking import Chunking
from napari_tessera.writing.chunks.downsample import downsample
from napari_tessera.writing.chunks.encoding import ChunkEncoder
from napari_tessera.writing.chunks.grid import ChunkGrid
from napari_tessera.writing.chunks.levels import plan_levels
from napari_tessera.writing.chunks.pyramid import Pyramid
from napari_tessera.writing.ome.arrays import create_pixel_array
from napari_tessera.writing.stored.image_levels import factors_of

TILE, CHUNK, TURNS = 448, 512, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--folder", type=Path, help="where images go; default: a temporary folder")
    options = parser.parse_args()
    size = options.size
    noise = np.random.default_rng(0).normal(1000, 50, (size, size)).astype(np.float32)
    print("| | without levels | with levels | zarr, chunk by chunk | codec |")
    print("|---|--:|--:|--:|--:|")
    for dtype in ("float32", "uint16"):
        plane = noise.astype(dtype)
        for name, shards in (("a file a chunk", None), (f"shards of 512 × {size}", (CHUNK, size))):
            taken: dict[Callable[..., None], list[tuple[float, float]]] = {
                way: [] for way in (without_levels, with_levels, by_zarr, by_codec)
            }
            for _ in range(TURNS):
                for way, times in taken.items():
                    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                        arrays = make(Path(folder), plane, shards)
                        since = time.perf_counter(), time.process_time()
                        way(arrays, plane)
                        times.append(
                            (time.perf_counter() - since[0], time.process_time() - since[1])
                        )
            cells = []
            for times in taken.values():
                clock, processor = (
                    statistics.median(column) for column in zip(*times, strict=True)
                )
                cells.append(f"{size**2 / clock / 1e6:.0f} MP/s ({processor:.2f} s)")
            print(f"| {dtype}, {name} | {' | '.join(cells)} |")
    for name, plane in (("float32", noise), ("float32 with NaN", with_nan(noise))):
        chunk = np.ascontiguousarray(plane[:CHUNK, :CHUNK])
        times = timeit.repeat(lambda chunk=chunk: downsample(chunk, (2, 2)), number=20, repeat=15)
        rate = 20 * chunk.size / statistics.median(times) / 1e6
        print(f"means of {name}, chunk by chunk: {rate:.0f} MP/s")


def make(folder: Path, plane: NDArray[Any], shards: Any) -> list[zarr.Array[Any]]:
    """Arrays of all levels, empty."""
    planned = plan_levels("YX", plane.shape, Chunking((CHUNK, CHUNK), shards))
    group = zarr.create_group(folder / "a.zarr")
    return [
        create_pixel_array(
            group,
            str(at),
            axes="YX",
            shape=level.shape,
            chunks=level.chunks,
            shards=level.shards,
            dtype=plane.dtype,
        )
        for at, level in enumerate(planned)
    ]


def with_levels(arrays: list[zarr.Array[Any]], plane: NDArray[Any]) -> None:
    """Tiles into all levels."""
    pyramid = Pyramid(arrays, factors_of(arrays))
    assembler = ChunkAssembler(arrays[0], on_complete=pyramid.take)
    for y in range(0, plane.shape[0], TILE):
        for x in range(0, plane.shape[1], TILE):
            block = plane[y : y + TILE, x : x + TILE]
            place = (slice(y, y + block.shape[0]), slice(x, x + block.shape[1]))
            assembler.add(place, block, (y, x))
    assembler.flush()
    pyramid.finish()


def without_levels(arrays: list[zarr.Array[Any]], plane: NDArray[Any]) -> None:
    """Tiles into the full size."""
    with_levels(arrays[:1], plane)


def by_zarr(arrays: list[zarr.Array[Any]], plane: NDArray[Any]) -> None:
    """Each chunk or shard of the full size set by itself."""
    grid = ChunkGrid.of(arrays[0])
    for chunk in grid:
        arrays[0][grid.region(chunk)] = plane[grid.region(chunk)]


def by_codec(arrays: list[zarr.Array[Any]], plane: NDArray[Any]) -> None:
    """The same packed, and thrown away."""
    grid, encoder = ChunkGrid.of(arrays[0]), ChunkEncoder.of(arrays[0])
    assert encoder is not None
    for chunk in grid:
        for _ in encoder.parts(plane[grid.region(chunk)]):
            pass


def with_nan(plane: NDArray[Any]) -> NDArray[Any]:
    """The plane with one pixel of a hundred missing."""
    holed = plane.copy()
    holed.ravel()[::100] = np.nan
    return holed


if __name__ == "__main__":
    main()
