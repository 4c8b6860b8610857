"""How fast a plane is written as chunks or shards, without and with the levels of a pyramid.

    python -m benchmarks.levels [--size 8192] [--folder FOLDER]

No network: tiles of 448² of a plane of noise go to the assembler row by row, in one thread.
The two are written in turn, three times; medians.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
import timeit
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.writing.chunks.assembler import ChunkAssembler
from napari_tessera.writing.chunks.chunking import Chunking
from napari_tessera.writing.chunks.downsample import downsample
from napari_tessera.writing.chunks.levels import plan_levels
from napari_tessera.writing.chunks.pyramid import Pyramid
from napari_tessera.writing.ome.arrays import create_pixel_array

TILE, CHUNK, TURNS = 448, 512, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--folder", type=Path, help="where images go; default: a temporary folder")
    options = parser.parse_args()
    size = options.size
    noise = np.random.default_rng(0).normal(1000, 50, (size, size)).astype(np.float32)
    print("| | without levels | with levels |\n|---|--:|--:|")
    for dtype in ("float32", "uint16"):
        plane = noise.astype(dtype)
        for name, shards in (("a file a chunk", None), (f"shards of 512 × {size}", (CHUNK, size))):
            seconds: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(TURNS):
                for levels, times in seconds.items():
                    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                        times.append(write(Path(folder), plane, shards, levels=levels))
            rates = [size**2 / statistics.median(times) / 1e6 for times in seconds.values()]
            print(f"| {dtype}, {name} | {rates[0]:.0f} MP/s | {rates[1]:.0f} MP/s |")
    for name, plane in (("float32", noise), ("float32 with NaN", with_nan(noise))):
        chunk = np.ascontiguousarray(plane[:CHUNK, :CHUNK])
        times = timeit.repeat(lambda chunk=chunk: downsample(chunk, (2, 2)), number=20, repeat=15)
        rate = 20 * chunk.size / statistics.median(times) / 1e6
        print(f"means of {name}, chunk by chunk: {rate:.0f} MP/s")


def write(folder: Path, plane: NDArray[Any], shards: Any, *, levels: bool) -> float:
    """Seconds to write a plane."""
    planned = plan_levels("YX", plane.shape, Chunking((CHUNK, CHUNK), shards))
    planned = planned if levels else planned[:1]
    group = zarr.create_group(folder / "a.zarr")
    arrays = [
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
    since = time.perf_counter()
    pyramid = Pyramid(arrays, [level.factors for level in planned])
    assembler = ChunkAssembler(arrays[0], on_complete=pyramid.take)
    for y in range(0, plane.shape[0], TILE):
        for x in range(0, plane.shape[1], TILE):
            block = plane[y : y + TILE, x : x + TILE]
            place = (slice(y, y + block.shape[0]), slice(x, x + block.shape[1]))
            assembler.add(place, block, (y, x))
    assembler.flush()
    pyramid.finish()
    took = time.perf_counter() - since
    shutil.rmtree(folder / "a.zarr")
    return took


def with_nan(plane: NDArray[Any]) -> NDArray[Any]:
    """The plane with one pixel of a hundred missing."""
    holed = plane.copy()
    holed.ravel()[::100] = np.nan
    return holed


if __name__ == "__main__":
    main()
