"""What a run takes of memory, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a part of a run")
def test_a_large_plane_takes_no_more_memory_than_a_small_one(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "benchmarks.memory", "--json", "--model", "convolution"]
    output = subprocess.run(
        [*command, "--dtype", "float32", "--sizes", "4096", "16384", "--folder", tmp_path],
        cwd=pytestconfig.rootpath,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=280,
    ).stdout
    small, large, _ = (json.loads(line) for line in output.splitlines())
    assert (small["size"], large["size"]) == (4096, 16_384)
    # an image of 537 MB, a result of 1.4 GB with its levels
    assert large["peak"] - large["model"] < 1e9
    assert abs(large["peak"] - small["peak"]) < 100e6
