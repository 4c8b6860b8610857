"""The recipes for SLURM, on a real one of one node."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from tests.recipes.programs import (
    Denoised,
    Programs,
    connected,
    seen_by_workers,
    until,
)

pytestmark = pytest.mark.slow

HERE = {"DASK_JOBQUEUE__SLURM__INTERFACE": "lo", "DASK_JOBQUEUE__SLURM__CORES": "1"}
"""Settings of this one machine: its network, and one thread, as the run to compare with."""


def address_of(programs: Programs, started: subprocess.Popen[bytes]) -> str:
    """What a script says behind ``--cluster``."""
    until(lambda: "--cluster" in programs.output(started), "the scheduler")
    return programs.output(started).split()[1]


def jobs(programs: Programs) -> list[str]:
    return programs.run("squeue", "--noheader", "--format=%j %P %b").splitlines()


def test_workers_as_jobs_denoise_an_image_and_go_home(
    recipes: Path,
    programs: Programs,
    settings: Path,
    slurm: dict[str, str],
    tmp_path: Path,
    denoised: Denoised,
) -> None:
    shutil.copy(recipes / "slurm-cpu.yaml", settings)
    programs.env |= {**slurm, **HERE}
    started = programs.start("python", recipes / "slurm_workers.py", "2")
    address = address_of(programs, started)
    with connected(address, 2) as client:
        told = seen_by_workers(client)
    assert all(not one["memory limit"] for one in told)
    assert [job.split()[:2] for job in jobs(programs)] == [["tessera", "cpu"]] * 2
    result = tmp_path / "out.ome.zarr"
    programs.run(*denoised.command(result), "--cluster", address)
    assert denoised.is_made_again(result)
    os.kill(started.pid, signal.SIGINT)
    assert started.wait(60) == 0, programs.said()
    until(lambda: not jobs(programs), "ending jobs")


def test_a_job_with_a_gpu_is_a_worker_that_sees_this_one(
    recipes: Path, programs: Programs, settings: Path, slurm: dict[str, str]
) -> None:
    shutil.copy(recipes / "slurm-gpu.yaml", settings)
    programs.env |= {**slurm, "DASK_JOBQUEUE__SLURM__INTERFACE": "lo"}
    started = programs.start("python", recipes / "slurm_workers.py", "2")
    with connected(address_of(programs, started), 2) as client:
        told = seen_by_workers(client)
        assert sorted(one["gpu"] for one in told) == ["0", "1"]
        assert {one["threads"] for one in told} == {4}
        assert {job.split()[2] for job in jobs(programs)} <= {"gres:gpu:1", "gpu:1"}
    started.terminate()
    assert started.wait(60) == 0, programs.said()
    until(lambda: not jobs(programs), "ending jobs")


def test_one_script_starts_jobs_denoises_and_leaves_none(
    recipes: Path,
    programs: Programs,
    settings: Path,
    slurm: dict[str, str],
    tmp_path: Path,
    denoised: Denoised,
) -> None:
    shutil.copy(recipes / "slurm-cpu.yaml", settings)
    programs.env |= {**slurm, **HERE}
    result = tmp_path / "out.ome.zarr"
    programs.run("python", recipes / "slurm_predict.py", denoised.image, result, "2")
    attributes = json.loads((result / "zarr.json").read_text("utf-8"))["attributes"]
    assert attributes["napari_tessera"]["state"] == "finished"
    until(lambda: not jobs(programs), "ending jobs")


def test_one_job_holds_scheduler_workers_and_run(
    recipes: Path,
    programs: Programs,
    slurm: dict[str, str],
    tmp_path: Path,
    denoised: Denoised,
) -> None:
    programs.env |= slurm
    result = tmp_path / "out.ome.zarr"
    command = ["sbatch", "--wait", "--cpus-per-task=1", f"--output={tmp_path / 'job.out'}"]
    rest = [recipes / "slurm-job.sh", *denoised.command(result)[2:]]
    programs.run(*command, "--ntasks=2", "--partition=gpu", "--gpus-per-task=1", *rest)
    assert denoised.is_made_again(result)
    assert not list(tmp_path.glob("tessera-*.json"))
    # the same line again finds nothing left to do
    before = (result / "zarr.json").stat().st_mtime_ns
    programs.run(*command, "--ntasks=1", "--partition=cpu", *rest)
    assert (result / "zarr.json").stat().st_mtime_ns == before
