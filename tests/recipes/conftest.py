"""Real schedulers, workers and a real SLURM of this machine alone, for the recipes of the docs."""

from __future__ import annotations

import getpass
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr
from tests.recipes.one_node import SLURM_PROGRAMS, start_slurm, write_slurm
from tests.recipes.programs import Denoised, Programs, until


@pytest.fixture(scope="session")
def recipes(pytestconfig: pytest.Config) -> Path:
    """The folder of recipes."""
    return pytestconfig.rootpath / "docs" / "recipes"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A folder with settings of Dask, in the place of the user's."""
    folder = tmp_path / "dask"
    folder.mkdir()
    return folder


@pytest.fixture
def programs(tmp_path: Path, settings: Path) -> Iterator[Programs]:
    """Programs of a test, in its folder."""
    found = Programs(tmp_path, {"DASK_CONFIG": str(settings), "TMPDIR": str(tmp_path)})
    yield found
    found.close()


@pytest.fixture(scope="session")
def denoised(tmp_path_factory: pytest.TempPathFactory) -> Denoised:
    """A volume of three planes, denoised by one process with one thread."""
    folder = tmp_path_factory.mktemp("one-process")
    pixels = np.random.default_rng(0).poisson(400, (3, 200, 250)).astype(np.uint16)
    array = zarr.create_array(
        folder / "in.zarr", shape=pixels.shape, chunks=(1, 100, 125), dtype=pixels.dtype
    )
    array[:] = pixels
    found = Denoised(folder / "in.zarr", folder / "out.ome.zarr")
    Programs(folder, {}).run(*found.command(found.result))
    return found


@pytest.fixture(scope="session")
def slurm() -> Iterator[dict[str, str]]:
    """A SLURM of one node, started for the tests; the environment that leads to it.

    Its node has two devices that it takes for GPUs. A SLURM that may be installed on this machine
    is not asked and not changed.
    """
    # the daemons lie where only root's shells look
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    missing = [name for name in SLURM_PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        pytest.skip(
            f"no {', '.join(missing)} here: on Debian apt-get install slurmctld slurmd slurm-client"
            " munge"
        )
    # short: the name of a socket has at most 107 characters
    with tempfile.TemporaryDirectory(prefix="slurm", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_slurm(folder)
        programs = Programs(folder, {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path})
        try:
            start_slurm(programs, folder)
            yield {"SLURM_CONF": str(folder / "slurm.conf")}
            programs.run("scancel", "--user", getpass.getuser())
            until(lambda: not programs.run("squeue", "--noheader").strip(), "ending jobs")
        finally:
            programs.close()
