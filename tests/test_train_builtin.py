"""The scripts that train the built-in denoisers: what figures would not show to be wrong."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_tessera.models.builtin import read_builtin

SCRIPTS = Path(__file__).parents[1] / "scripts"
IMAGE = (64, 64)


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(5)
    yield
    torch.set_rng_state(before)
    torch.set_num_threads(threads)


def script(name: str) -> Any:
    return importlib.import_module(name)


@pytest.mark.parametrize("shape", [(160, 1, 64, 64), (160, 1, 4, 32, 32)])
def test_the_target_is_the_mean_of_the_noisy_patches(shape: tuple[int, ...]) -> None:
    clean = torch.rand(shape[0], *(1,) * (len(shape) - 1)).expand(shape)
    noisy, target, level = script("builtin_noise").degrade(clean)
    axes = tuple(range(1, len(shape)))
    spread = (noisy - target).std(axes) / clean[0].numel() ** 0.5
    # correlated noise has fewer independent pixels; counts with a ceiling are not quite normal
    off = ((level.flatten() - target.mean(axes)).abs() / (spread + 2e-3)).sort().values
    assert off[int(0.8 * len(off))] < 3
    assert 0.5 < (noisy - target).std() / 0.2 < 2


def test_hot_pixels_are_not_in_the_target_and_not_in_its_level() -> None:
    noisy, target, level = script("builtin_noise").degrade(torch.full((300, 1, 64, 64), 0.5))
    axes = (1, 2, 3)
    hot = (noisy.mean(axes) - level.flatten()) > 1e-7
    assert 3 < hot.sum() < 60
    assert (target.amax(axes) - target.amin(axes)).max() < 1e-6


def test_strengths_cover_what_is_met() -> None:
    noisy, target, _ = script("builtin_noise").degrade(torch.full((800, 1, 32, 32), 0.5))
    sigma = 255 * (noisy - target).std((1, 2, 3))
    low, middle, high = np.percentile(sigma.numpy(), (2, 50, 98))
    assert low < 6 < 15 < middle < 45
    assert high > 75


@pytest.mark.parametrize("index", range(10))
def test_structures_are_the_same_for_the_same_numbers(index: int) -> None:
    if script("builtin_structures").KINDS[index].__name__ == "print_of_words":
        pytest.importorskip("matplotlib", reason="the group 'train' is not installed")
    made = [script("builtin_structures").structure(1, index, 96) for _ in range(2)]
    assert np.array_equal(*made)
    assert made[0].shape == (96, 96)
    assert (made[0].min(), made[0].max()) == (0, 1)
    assert made[0].std() > 0.01
    assert not np.array_equal(made[0], script("builtin_structures").structure(1, index + 13, 96))


@pytest.mark.parametrize("index", range(5))
def test_volumes_differ_from_plane_to_plane(index: int) -> None:
    made = script("builtin_volumes").volume(1, index, (6, 40, 40))
    assert (made.shape, made.min(), made.max()) == ((6, 40, 40), 0, 1)
    assert np.abs(np.diff(made, axis=0)).mean() > 1e-4


def test_photographs_leave_out_what_is_judged_with() -> None:
    for package in ("mahotas", "matplotlib", "pywt", "sklearn"):
        pytest.importorskip(package, reason="the group 'train' is not installed")
    files = script("builtin_images").packaged_files()
    judged = {"camera", "coins", "moon", "page", "cell"}
    assert all(file.is_file() and file.stem not in judged for file in files)
    photos = script("builtin_images").photographs()
    assert len(photos) == len(files)
    assert all(photos)
    assert all(
        version.ndim == 2 and 0 <= version.min() < version.max() <= 1
        for photo in photos
        for version in photo
    )


def test_a_pool_follows_from_how_many_were_made(tmp_path: Path) -> None:
    made: list[int] = []

    def make(index: int) -> np.ndarray[Any, Any]:
        made.append(index)
        return np.full((2, 2), index, np.float32)

    pool = script("builtin_pool").Pool
    first = pool(make, (2, 2), 3, tmp_path / "pool.npy")
    for start in range(5):
        first.advance(start)
    assert made == list(range(7))
    again = pool(make, (2, 2), 3, tmp_path / "pool.npy")
    again.advance(4)
    assert made == list(range(7))
    fresh = pool(make, (2, 2), 3)
    fresh.advance(4)
    for place in range(3):
        assert float(again[place][0, 0]) == float(fresh[place][0, 0])


def test_momentum_is_made_orthogonal() -> None:
    for shape in ((6, 20), (20, 6)):
        made = script("builtin_optimizer").orthogonalized(torch.randn(shape) * 1e-4)
        assert made.shape == shape
        singular = torch.linalg.svdvals(made)
        assert 0.5 < singular.min() < singular.max() < 1.4


def _tiny(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The training script with a recipe of seconds, and photographs that need no packages."""
    train = script("train_builtin")
    generated = script("builtin_structures").structure
    recipe = replace(
        train.RECIPES["denoise2d"],
        network={"dims": 2, "features": 8, "deep_features": 8, "blocks": 1, "deep_blocks": 1},
        patch=(32, 32),
        batch=2,
        image=IMAGE,
        make=lambda index: generated(1, index % 7, 64),
        pool=4,
        renewal=3,
    )
    monkeypatch.setitem(train.RECIPES, "denoise2d", recipe)
    monkeypatch.setattr(train, "photographs", lambda: [[generated(2, 7, 64)]])
    monkeypatch.setattr(train, "REPORT_EVERY", 5)
    return train


def _run(train: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> Any:
    monkeypatch.setattr(
        sys,
        "argv",
        ["train_builtin.py", "denoise2d", "--state", str(folder), "--precision", "float32", *words],
    )
    train.main()
    return torch.load(folder / "trunk.pt", weights_only=True)


def test_training_goes_on_as_if_it_had_not_been_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = _tiny(monkeypatch)
    whole = _run(train, monkeypatch, tmp_path / "whole", "--steps", "10")
    _run(train, monkeypatch, tmp_path / "parts", "--steps", "4")
    parts = _run(train, monkeypatch, tmp_path / "parts", "--steps", "10")
    for kind in ("network", "average"):
        for name, weight in whole[kind].items():
            assert torch.equal(weight, parts[kind][name]), name
    assert not torch.equal(whole["network"]["up.weight"], whole["average"]["up.weight"])
    lines = (tmp_path / "whole/log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [5, 10]


def test_a_network_for_volumes_starts_as_the_one_for_planes(tmp_path: Path) -> None:
    train = script("train_builtin")
    made_of = {"features": 4, "deep_features": 6, "blocks": 1, "deep_blocks": 2}
    planes = train.BiasFreeUNet(**made_of)
    planes.blind_to_level()
    words = {"architecture": "BiasFreeUNet", "dims": 2, **made_of, "seed": 1}
    file = tmp_path / "planes.safetensors"
    metadata = {key: str(value) for key, value in words.items()}
    file.write_bytes(train.save(planes.state_dict(), metadata=metadata))
    recipe = replace(train.RECIPES["denoise3d"], network={"dims": 3, **made_of, "plane_blocks": 1})
    grown, _ = train._grown(recipe, file), planes.requires_grad_(False)
    volume = torch.randn(1, 1, 5, 16, 24)
    one_by_one = planes(volume[0].transpose(0, 1))[:, 0]
    torch.testing.assert_close(grown(volume)[0, 0].detach(), one_by_one, rtol=0, atol=1e-5)
    assert grown.reach[0] == 2


def test_a_branch_is_cooled_down_and_written_while_the_trunk_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = _tiny(monkeypatch)
    before = _run(train, monkeypatch, tmp_path, "--steps", "4")
    weights = tmp_path / "made.safetensors"
    after = _run(train, monkeypatch, tmp_path, "--cool-down", "6", "--output", str(weights))
    assert after["step"] == before["step"] == 4
    network, info = read_builtin(weights)
    assert (info["reach"], info["axes"]) == ((23, 23), "YX")
    assert "10 steps (the last 6 at a falling rate)" in info["training"]
    flat = torch.full((1, 1, 16, 16), 7.0)
    torch.testing.assert_close(network(flat), flat, rtol=1e-6, atol=0)
    assert not list((tmp_path / "branch").glob("*.pt"))
