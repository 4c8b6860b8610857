"""Trainings that are killed at any moment, and disks that are full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from safetensors.numpy import load_file

from napari_tessera import load_model, predict
from napari_tessera.training import (
    Stop,
    Trainer,
    TrainingProgress,
    TrainingSettings,
    checkpoint_of,
    train,
)

SETTINGS = TrainingSettings(
    steps=24,
    depth=1,
    features=4,
    patch_size=(16, 16),
    batch_size=4,
    validate_every=6,
    masked_percent=3.0,
    precision="float32",
)


@pytest.fixture
def _kept_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is kept after each step, not each minute."""
    defaults = Trainer.__init__.__kwdefaults__
    assert "checkpoint_seconds" in defaults
    monkeypatch.setitem(defaults, "checkpoint_seconds", 0.0)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).poisson(60, (64, 80)).astype(np.uint16)


@pytest.fixture(scope="module")
def whole(image: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What comes of a training that nothing disturbs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("whole") / "net.safetensors"
    train(image, path, settings=SETTINGS, device="cpu")
    torch.set_num_threads(before)
    return path


def same_weights(path: Path, other: Path) -> bool:
    first, second = load_file(path), load_file(other)
    assert first.keys() == second.keys()
    return all(np.array_equal(first[key], second[key]) for key in first)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks there")
def test_after_kills_at_any_moment_the_weights_are_those_without(
    image: np.ndarray, tmp_path: Path
) -> None:
    source, model = tmp_path / "in.tif", tmp_path / "net.safetensors"
    whole = tmp_path / "whole" / "whole.safetensors"
    whole.parent.mkdir()
    tifffile.imwrite(source, image)
    # the first steps of it, writes halfway, and between a write and its renaming
    die_at = [0, 2, 3, 5, 8, 13, 22]
    job = {
        "source": str(source),
        "whole": str(whole),
        "model_out": str(model),
        "settings": SETTINGS.to_json(),
        "die_at": die_at,
    }
    script = Path(__file__).with_name("killed_training.py")
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(script), json.dumps(job)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr
    statuses = json.loads(ended.stdout.splitlines()[-1])
    assert statuses == [-9] * len(die_at) + [0], ended.stderr
    assert same_weights(model, whole)
    assert not checkpoint_of(model).exists()


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """No file of this process grows beyond a size: what a full disk is, but for its number."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB of its own; needs Linux and the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small disk: see the limited files instead")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**16, 2**12):
            while True:
                try:
                    file.write(bytes(size))
                except OSError:
                    break
    return filler


def between(actions: dict[int, Callable[[], object]]) -> Callable[[], Stop | None]:
    """A ``cancel`` that does something between two steps, by how often it was asked."""
    asked = [0]

    def cancel() -> Stop | None:
        action = actions.get(asked[0])
        asked[0] += 1
        answer = action() if action else None
        return answer if isinstance(answer, Stop) else None

    return cancel


@pytest.mark.usefixtures("_kept_at_each_step")
def test_a_disk_that_is_full_at_a_checkpoint_is_told_once_and_nothing_is_lost(
    image: np.ndarray, whole: Path, small_disk: Path
) -> None:
    path = small_disk / "net.safetensors"
    told: list[TrainingProgress] = []
    kept: list[bytes] = []

    def look() -> None:
        kept.append(checkpoint_of(path).read_bytes())

    def full() -> None:
        look()
        fill(small_disk)

    actions = {6: full, 12: look, 13: lambda: (small_disk / "filler").unlink()}
    train(
        image,
        path,
        settings=SETTINGS,
        device="cpu",
        progress=told.append,
        cancel=between(actions),
    )
    # the state from before stays, whole, until there is room for a newer one
    assert kept[0] == kept[1]
    notices = [state.notice for state in told if state.notice]
    assert len(notices) == 1
    assert "\n" not in notices[0]
    for part in ("net.safetensors.training", "o space left", "make room"):
        assert part in notices[0]
    assert same_weights(path, whole)
    assert [entry.name for entry in small_disk.iterdir()] == [path.name]


@pytest.mark.usefixtures("_kept_at_each_step")
def test_a_disk_that_is_full_at_the_end_is_told_and_gone_on_with_when_there_is_room(
    image: np.ndarray, whole: Path, small_disk: Path
) -> None:
    path = small_disk / "net.safetensors"
    with pytest.raises((OSError, ValueError), match=r"no space left .*net\.safetensors") as caught:
        train(
            image,
            path,
            settings=SETTINGS,
            device="cpu",
            cancel=between({20: lambda: fill(small_disk)}),
        )
    assert "\n" not in str(caught.value)
    assert {entry.name for entry in small_disk.iterdir()} == {"filler", f"{path.name}.training"}
    (small_disk / "filler").unlink()
    assert train(image, path, settings=SETTINGS, device="cpu", resume=True) == path
    assert same_weights(path, whole)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes there")
def test_no_room_for_anything_leaves_the_model_that_was_there(
    image: np.ndarray, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(whole.read_bytes())
    told: list[TrainingProgress] = []
    with (
        files_of_at_most(5_000),
        pytest.raises((OSError, ValueError), match=r"no space left .*net\.safetensors"),
    ):
        train(image, path, settings=SETTINGS, device="cpu", overwrite=True, progress=told.append)
    assert path.read_bytes() == whole.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert any(state.notice and "make room" in state.notice for state in told)


def test_an_error_in_midst_of_it_keeps_the_state(
    image: np.ndarray, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "net.safetensors"

    def fail() -> None:
        raise RuntimeError("somebody pulled the plug")

    with pytest.raises(RuntimeError, match="pulled the plug"):
        train(image, path, settings=SETTINGS, device="cpu", cancel=between({9: fail}))
    assert [entry.name for entry in tmp_path.iterdir()] == [f"{path.name}.training"]
    train(image, path, settings=SETTINGS, device="cpu", resume=True)
    assert same_weights(path, whole)
    assert np.isfinite(predict(image, load_model(path, device="cpu"))).all()
