"""The page on workflows: its recipes run, and its events are those that there are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
import zarr

from napari_tessera import predict_to_disk
from napari_tessera.writing import read_unfinished

Command = Callable[..., Any]
NOT_PIXELS = ("zarr.json", ".snakemake_timestamp")
CONFIG = {"threads": 1, "options": "--patch-size 64 --overlaps 2 --device cpu", "retries": 0}


@pytest.fixture(scope="module")
def page(pytestconfig: pytest.Config) -> str:
    return (pytestconfig.rootpath / "docs" / "workflows.md").read_text(encoding="utf-8")


def block(page: str, language: str) -> str:
    """The one block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture
def place(page: str, blur_model: Path, tmp_path: Path, picture: Callable[..., Any]) -> Path:
    """A folder with three images, the recipes of the page, and a model."""
    folder = tmp_path / "work"
    for number, name in enumerate(("a.tif", "b c.tif", "day1/a.tif")):
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, picture((270, 290) if not number else (70, 90), seed=number))
    config = yaml.safe_load(block(page, "yaml"))
    assert set(CONFIG) < set(config)
    config |= {**CONFIG, "model": str(blur_model)}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "Snakefile").write_text(block(page, "snakemake"))
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Variables with which a shell finds the command of this environment first."""
    programs = tmp_path / "programs"
    programs.mkdir()
    script = programs / "napari-tessera"
    script.write_text(
        f"#!{sys.executable}\nfrom napari_tessera.cli import main\nmain()\n", encoding="utf-8"
    )
    script.chmod(0o755)
    return os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def hashes(store: Path) -> dict[str, str]:
    """SHA-256 of every file of a store, but for its attributes and Snakemake's mark."""
    return {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in store.rglob("*")
        if file.is_file()
        and (name := file.relative_to(store).as_posix())
        not in ("zarr.json", ".snakemake_timestamp")
    }


def snakemake(place: Path, environment: dict[str, str], *words: str) -> tuple[int, str]:
    pytest.importorskip("snakemake")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *words],
        cwd=place, env=environment, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="recipes are for a POSIX shell")
def test_snakemake_denoises_each_image_goes_on_and_knows_what_is_done(
    place: Path, environment: dict[str, str], command: Command, blur_model: Path, tmp_path: Path
) -> None:
    status, said = snakemake(place, environment, "estimate")
    assert status == 0, said
    assert "dry run: nothing was written" in said
    assert not (place / "denoised").exists()
    # a job that was stopped after a few of its 25 tiles
    begun = place / "denoised" / ".begun" / "a.ome.zarr"
    begun.parent.mkdir(parents=True)
    cancel = Event()
    predict_to_disk(
        str(place / "images" / "a.tif"), str(blur_model), begun, patch_size=64, overlaps=2,
        batch_size=1, cancel=cancel, torch_threads=1,
        progress=lambda state: cancel.set() if 3 in state.running else None,
    )  # fmt: skip
    stored = read_unfinished(begun)
    assert stored is not None
    assert 0 < stored.n_done < 25
    status, said = snakemake(place, environment)
    assert status == 0, said
    alone = tmp_path / "alone.ome.zarr"
    for name in ("a", "b c", "day1/a"):
        image = place / "images" / f"{name}.tif"
        words = ["--patch-size", "64", "--overlaps", "2", "--overwrite"]
        assert command("predict", image, alone, "-m", blur_model, *words).status == 0
        assert hashes(place / "denoised" / f"{name}.ome.zarr") == hashes(alone)
    log = [json.loads(line) for line in (place / "denoised/logs/a.jsonl").read_text().splitlines()]
    assert log[-1]["event"] == "finished"
    first = next(event for event in log if event["event"] == "progress")
    assert first["done"] > stored.n_done, "what was done was not done again"
    assert not list((place / "denoised" / ".begun").rglob("*.zarr"))
    status, said = snakemake(place, environment)
    assert status == 0
    assert "Nothing to be done" in said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="recipes are for a POSIX shell")
def test_snakemake_is_told_of_an_image_that_fails(place: Path, environment: dict[str, str]) -> None:
    image = place / "images" / "a.tif"
    image.write_bytes(image.read_bytes()[:60])
    status, said = snakemake(place, environment, "--keep-going")
    assert status != 0, said
    assert (place / "denoised" / "b c.ome.zarr").is_dir()
    assert (place / "denoised" / "day1" / "a.ome.zarr").is_dir()
    assert not (place / "denoised" / "a.ome.zarr").exists()
    (event,) = (place / "denoised" / "logs" / "a.jsonl").read_text().splitlines()
    assert json.loads(event)["event"] == "error"


@pytest.mark.skipif(sys.platform == "win32", reason="recipes are for a POSIX shell")
def test_the_script_of_the_nextflow_process_runs(
    page: str, place: Path, environment: dict[str, str]
) -> None:
    recipe = block(page, "groovy")
    config = yaml.safe_load((place / "config.yaml").read_text())
    used = set(re.findall(r"params\.(\w+)", recipe))
    assert used == set(config), "both recipes have one config.yaml"
    (script,) = re.findall(r'"""\n(.*?)"""', recipe, re.DOTALL)
    (output,) = re.findall(r'output:\n\s*path "(.*)"', recipe)
    values = {f"params.{name}": str(value) for name, value in config.items()}
    values |= {"image": "b c.tif", "image.simpleName": "b c", "task.cpus": "1"}

    def filled(text: str) -> str:
        return re.sub(r"\$\{(.*?)\}", lambda found: values[found[1]], text)

    # as Nextflow does, in a folder with the image in it
    task = place / "task"
    task.mkdir()
    (task / "b c.tif").symlink_to(place / "images" / "b c.tif")
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "-ue", "-c", filled(script)], cwd=task, env=environment, capture_output=True,
        text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = zarr.open_group(task / filled(output), mode="r")["0"]
    assert isinstance(made, zarr.Array)
    assert made.shape == (70, 90)
    assert np.isfinite(made[...]).all()


def documented(page: str) -> dict[str, set[str]]:
    """Fields of each event, as the table has them."""
    rows = re.findall(r"^\| `(\w+)` \| .*? \|(.*)\|$", page, re.MULTILINE)
    return {event: set(re.findall(r"`(\w+)`", fields)) for event, fields in rows}


def test_the_events_on_the_page_are_those_there_are(
    page: str, command: Command, place: Path, blur_model: Path, tmp_path: Path
) -> None:
    known = documented(page)
    tifffile.imwrite(place / "images" / "rough.tif", np.full((70, 90), np.nan, np.float32))
    words = ["-m", blur_model, "--patch-size", "64", "--overlaps", "2", "--progress", "json"]
    image, out = place / "images" / "b c.tif", tmp_path / "out"
    seen: dict[str, set[str]] = {}
    for arguments in (
        [image, tmp_path / "one.ome.zarr"],
        [image, tmp_path / "one.ome.zarr"],
        [image, tmp_path / "two.ome.zarr", "--dry-run"],
        [place / "images", f"{out}/"],
        [image, tmp_path / "three.ome.zarr", "--debug", "--region", "Y=0:900"],
        [place / "images" / "rough.tif", tmp_path / "four.ome.zarr"],
    ):
        for line in command("predict", *arguments, *words).err.splitlines():
            event = json.loads(line)
            seen.setdefault(event.pop("event"), set()).update(event)
    assert set(known) - set(seen) == {"stopping", "stopped"}, "these need a signal"
    assert seen == {name: known[name] for name in seen}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without signals")
@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_over_several_images_is_stopped_and_gone_on_with(
    page: str,
    blur_model: Path,
    tmp_path: Path,
    picture: Callable[..., Any],
    command: Command,
    signum: signal.Signals,
    status: int,
) -> None:
    for number in range(3):
        tifffile.imwrite(tmp_path / f"i{number}.tif", picture((402, 402), seed=number))
    words = [
        str(tmp_path / "i*.tif"), "-m", str(blur_model), "--patch-size", "32,32", "--overlaps",
        "2,2", "--batch-size", "1", "--threads", "1", "--device", "cpu", "--progress", "json",
    ]  # fmt: skip
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", "from napari_tessera.cli import main; main()", "predict", *words,
         f"{out}/"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        event = json.loads(line)
        if event["event"] == "progress" and event["number"] == 2:
            process.send_signal(signum)
            break
    _, rest = process.communicate()
    assert process.returncode == status
    events = [json.loads(line) for line in rest.splitlines()]
    assert "stopping" in [event["event"] for event in events]
    last = events[-1]
    assert last.pop("event") == "stopped"
    assert "--resume goes on" in last["message"]
    assert set(last) <= documented(page)["stopped"] | documented(page)["finished"]
    assert (last["done"], last["left"]) == (1, 2)
    states = [e["state"] for e in json.loads((out / "report.json").read_text())["files"]]
    assert states == ["done", "stopped", "waiting"]
    assert command("predict", *words, f"{out}/", "--resume").status == 0
    whole = tmp_path / "whole"
    assert command("predict", *words, f"{whole}/").status == 0
    for number in range(3):
        name = f"i{number}_denoised.ome.zarr"
        assert hashes(out / name) == hashes(whole / name)
