"""How long it takes to open many TIFF files as one image.

    python -m benchmarks.many_files [NUMBER]

The files, 10,000 of one plane of 64 × 64 pixels each, are made before and in the disk's cache.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

from napari_tessera.stacks import TiffFilesStack


def main(count: int) -> None:
    """Open the files three times, and print seconds."""
    with tempfile.TemporaryDirectory() as folder:
        plane = np.zeros((64, 64), np.uint16)
        for number in range(count):
            tifffile.imwrite(Path(folder) / f"img{number}.tif", plane)
        for _ in range(3):
            start = time.perf_counter()
            with TiffFilesStack(folder) as stack:
                seconds = time.perf_counter() - start
                assert stack.data_shape[2] == count
            print(f"{count} files: {seconds:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
