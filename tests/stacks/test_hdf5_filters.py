"""Compression filters that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WRITE = (
    "import sys, h5py, hdf5plugin, numpy as np; "
    "h5py.File(sys.argv[1], 'w').create_dataset("
    "'image', data=np.arange(3000.0).reshape(3, 20, 50), chunks=(1, 20, 20), "
    "compression=hdf5plugin.{})"
)
READ = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'hdf5plugin':
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Blocked())
from napari_tessera.stacks.hdf5.stack import HDF5Stack
try:
    HDF5Stack(sys.argv[1])
except ValueError as error:
    print(error)
"""


def refusal(path: Path, compression: str) -> str:
    """What is said of a dataset where hdf5plugin is not installed."""
    write = WRITE.format(compression)
    subprocess.run([sys.executable, "-c", write, path], check=True, timeout=60)
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ, path],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
        # where HDF5 itself looks for filters
        env={**os.environ, "HDF5_PLUGIN_PATH": "::"},
    )
    return found.stdout


def test_a_missing_filter_is_named_when_the_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "image.h5"
    assert refusal(path, "Blosc()") == (
        f"{path}#/image is compressed with Blosc (HDF5 filter 32001), which h5py does not have: "
        "pip install hdf5plugin\n"
    )


def test_a_filter_that_is_not_listed_is_called_what_the_file_calls_it(tmp_path: Path) -> None:
    path = tmp_path / "image.h5"
    refused = refusal(path, "SZ3(absolute=1)")
    assert f"{path}#/image is compressed with SZ3 " in refused
    assert " (HDF5 filter 32024), which h5py does not have: " in refused
