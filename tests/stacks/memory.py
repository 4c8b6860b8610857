"""Memory that reading takes, measured where no other test has been."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_CODE = """
import sys
import psutil
import napari_tessera.stacks

with getattr(napari_tessera.stacks, sys.argv[1])(sys.argv[2]) as stack:
    stack.extract_patch(0, None, (0, 5, 5), (1, 1, 1))
    before = psutil.Process().memory_info().rss
    for z in range(stack.data_shape[2]):
        assert stack.extract_patch(0, None, (z, 5, 5), (1, 1, 1)).item() == int(sys.argv[3])
    print(psutil.Process().memory_info().rss - before)
"""


def grown_by_reading_planes(kind: str, path: Path, value: int) -> int:
    """Bytes by which a process grows while it reads a pixel of each plane of a volume.

    In a process of its own: what earlier tests let go of need not have left this one.
    """
    found = subprocess.run(
        [sys.executable, "-c", _CODE, kind, str(path), str(value)],
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    )
    return int(found.stdout)
