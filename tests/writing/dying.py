"""A process that dies as kill -9 would have it, with a file written and not yet under its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_DYING = """
import os, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from conftest import TiledImage
from napari_tessera.writing import WriteTilesZarr

path, left = Path(sys.argv[2]), int(sys.argv[3])
finish = os.replace

def replace(source, target):
    global left
    left -= 1
    if left == 0:
        os._exit(9)
    return finish(source, target)

os.replace = replace
"""


def die_at_write(work: str, path: Path, n_writes: int) -> None:
    """Run Python lines that write to ``path``, in a process that dies at its n-th finished file."""
    died = subprocess.run(
        [sys.executable, "-c", _DYING + work, str(Path(__file__).parent), str(path), str(n_writes)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert died.returncode == 9, died.stderr
