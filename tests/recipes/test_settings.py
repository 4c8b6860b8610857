"""Settings in recipes are those of Dask and dask-jobqueue, and do what the page says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import dask.config
import pytest
from dask_jobqueue import SLURMCluster
from distributed import Scheduler, Security


def names(settings: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in settings.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from names(value, f"{name}.")
        else:
            yield name


def loaded_from(path: Path) -> dict[str, Any]:
    (loaded,) = dask.config.collect_yaml([str(path)])
    return dict(loaded)


def defaults() -> dict[str, Any]:
    """What Dask and its parts bring, without anybody's settings."""
    found: dict[str, Any] = {}
    for part in dask.config.defaults:
        dask.config.update(found, part)
    return found


@pytest.mark.parametrize("name", ["dask.yaml", "tls.yaml", "slurm-cpu.yaml", "slurm-gpu.yaml"])
def test_every_setting_is_one_that_dask_knows(recipes: Path, name: str) -> None:
    loaded = loaded_from(recipes / name)
    known = defaults()
    options = loaded.get("jobqueue", {}).get("slurm", {}).pop("scheduler-options", {})
    assert options.keys() <= signature(Scheduler).parameters.keys()
    for setting in names(loaded):
        # raises KeyError where there is none
        dask.config.get(setting, config=known)


def test_no_memory_of_a_worker_is_judged(recipes: Path) -> None:
    loaded = loaded_from(recipes / "dask.yaml")
    memory = dask.config.get("distributed.worker.memory", config=defaults())
    judged = {key for key in memory if key in ("target", "spill", "pause", "terminate")}
    given = loaded["distributed"]["worker"]["memory"]
    assert given == dict.fromkeys(sorted(judged), False)


def job_of(path: Path) -> list[str]:
    with dask.config.set(dask.config.merge(defaults(), loaded_from(path))):
        # no scheduler of a cluster: only what would be sent
        job = SLURMCluster.job_cls("tcp://10.0.0.5:8786", name="0")
    return str(job.job_script()).splitlines()


@pytest.mark.parametrize(("name", "cores"), [("cpu", 16), ("gpu", 4)])
def test_a_job_is_one_worker(
    recipes: Path, name: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = job_of(recipes / f"slurm-{name}.yaml")
    assert f"#SBATCH -p {name}" in script
    assert f"#SBATCH --cpus-per-task={cores}" in script
    assert ("#SBATCH --gres=gpu:1" in script) == (name == "gpu")
    assert "#SBATCH -t 04:00:00" in script
    (command,) = (line for line in script if "distributed.cli.dask_worker" in line)
    assert f"--nthreads {cores}" in command
    assert "--nworkers" not in command
    # of two the last one holds, as test_slurm sees
    assert command.rindex("--memory-limit 0 ") > command.index("--memory-limit ")


def test_both_kinds_of_jobs_differ_in_what_they_ask_for_only(recipes: Path) -> None:
    cpu, gpu = (
        loaded_from(recipes / f"slurm-{name}.yaml")["jobqueue"]["slurm"] for name in ("cpu", "gpu")
    )
    differ = {key for key in cpu.keys() | gpu.keys() if cpu.get(key) != gpu.get(key)}
    assert differ == {"queue", "cores", "memory", "job-extra-directives"}


def test_tls_is_demanded_with_one_certificate_for_all(recipes: Path) -> None:
    with dask.config.set(dask.config.merge(defaults(), loaded_from(recipes / "tls.yaml"))):
        security = Security()
    assert security.require_encryption
    for role in ("scheduler", "worker", "client"):
        files = security.get_tls_config_for_role(role)
        assert {Path(files[key]).name for key in ("ca_file", "cert")} == {"cluster.pem"}
        assert Path(files["key"]).name == "cluster.key"
