"""``train`` and ``plan_training``: what is written, kept, refused and closed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from napari_tessera import load_model, open_stack, predict
from napari_tessera.models.exporting import export_model
from napari_tessera.models.own_format import read_trained
from napari_tessera.training import (
    Stop,
    Trainer,
    TrainingError,
    TrainingSettings,
    checkpoint_of,
    plan_training,
    train,
)
from napari_tessera.training.loop.checkpoint import read_checkpoint
from napari_tessera.training.model_out import check_room

TINY = TrainingSettings(
    features=4, depth=1, steps=8, batch_size=2, validate_every=4, patch_size=(16, 16)
)


@pytest.fixture
def image() -> NDArray[np.uint16]:
    random = np.random.default_rng(2)
    return (100 + 20 * random.normal(size=(64, 72))).clip(0).astype(np.uint16)


def test_a_model_is_written_and_predicts(image: NDArray[Any], tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "cells.tif", image)
    out = train(tmp_path / "cells.tif", tmp_path / "m.safetensors", settings=TINY, device="cpu")
    assert out == tmp_path / "m.safetensors"
    assert not checkpoint_of(out).exists()
    assert predict(image, load_model(out)).shape == image.shape
    training = read_trained(out).document.training
    assert training["settings"] == TINY.resolved((1, 1, 64, 72)).to_json()
    assert (training["steps"], training["stopped"]) == (8, "finished")
    assert training["data"]["source"].endswith("cells.tif")
    assert [point[0] for point in training["losses"]][-1] == 8


def test_planes_of_a_volume_and_volumes_are_trained_on(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).poisson(50, (8, 40, 40)).astype(np.uint16)
    for dims, patch in ((2, (16, 16)), (3, (8, 16, 16))):
        settings = TrainingSettings(
            spatial_dims=dims, features=4, depth=1, steps=2, batch_size=2, patch_size=patch
        )
        out = train(volume, tmp_path / f"{dims}.safetensors", settings=settings, device="cpu")
        assert predict(volume, load_model(out)).shape == volume.shape


def test_pause_keeps_the_state_and_resume_comes_to_the_same(
    image: NDArray[Any], tmp_path: Path
) -> None:
    whole = train(image, tmp_path / "whole.safetensors", settings=TINY, device="cpu")
    out = tmp_path / "m.safetensors"
    started: list[Trainer] = []

    def pause() -> Stop | None:
        return Stop.PAUSE if started[-1].step == 3 else None

    given: dict[str, Any] = {"settings": TINY, "device": "cpu", "on_start": started.append}
    assert train(image, out, cancel=pause, **given) == checkpoint_of(out)
    assert not out.exists()
    with pytest.raises(FileExistsError, match="is not through: resume it, or overwrite it"):
        train(image, out, **given)
    assert train(image, out, resume=True, **given) == out
    first, second = load_file(whole), load_file(out)
    assert all(torch.equal(first[name], one) for name, one in second.items())
    assert started[-1].step == 8


def test_stop_and_use_writes_a_model_that_can_be_gone_on_with(
    image: NDArray[Any], tmp_path: Path
) -> None:
    out = tmp_path / "m.safetensors"
    started: list[Trainer] = []

    def use() -> Stop | None:
        return Stop.USE if started[-1].step == 3 else None

    given: dict[str, Any] = {"settings": TINY, "device": "cpu", "on_start": started.append}
    assert train(image, out, cancel=use, **given) == out
    assert read_trained(out).document.training["stopped"] == "cancelled"
    assert checkpoint_of(out).exists()
    train(image, out, resume=True, overwrite=True, **given)
    assert read_trained(out).document.training["steps"] == 8
    with pytest.raises(FileExistsError):
        train(image, out, **given)
    train(image, out, overwrite=True, **given)


def test_nothing_to_use_is_said_and_leaves_nothing(image: NDArray[Any], tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    given: dict[str, Any] = {"settings": TINY, "device": "cpu"}
    with pytest.raises(TrainingError, match="before its first step: nothing to use yet"):
        train(image, out, cancel=lambda: Stop.USE, **given)
    assert list(tmp_path.iterdir()) == []
    assert train(image, out, **given) == out


def test_an_error_before_the_first_step_leaves_nothing(image: NDArray[Any], tmp_path: Path) -> None:
    def fail() -> Stop | None:
        raise KeyError("somebody's own")

    with pytest.raises(KeyError):
        train(image, tmp_path / "m.safetensors", settings=TINY, device="cpu", cancel=fail)
    assert list(tmp_path.iterdir()) == []


def test_a_pause_before_the_first_step_can_be_gone_on_with(
    image: NDArray[Any], tmp_path: Path
) -> None:
    out = tmp_path / "m.safetensors"
    given: dict[str, Any] = {"settings": TINY, "device": "cpu"}
    assert train(image, out, cancel=lambda: Stop.PAUSE, **given) == checkpoint_of(out)
    assert read_checkpoint(checkpoint_of(out)).step == 0
    assert train(image, out, resume=True, **given) == out
    whole = train(image, tmp_path / "whole.safetensors", **given)
    first, second = load_file(whole), load_file(out)
    assert all(torch.equal(first[name], one) for name, one in second.items())


def test_a_state_is_overwritten_by_the_next_one_and_not_before(
    image: NDArray[Any], tmp_path: Path
) -> None:
    out = tmp_path / "m.safetensors"
    started: list[Trainer] = []

    def paused_at(step: int) -> Stop | None:
        return Stop.PAUSE if started[-1].step == step else None

    given: dict[str, Any] = {"settings": TINY, "device": "cpu", "on_start": started.append}
    train(image, out, cancel=lambda: paused_at(3), **given)
    with pytest.raises(ValueError, match="cuda:77"):
        train(image, out, overwrite=True, **{**given, "device": "cuda:77"})
    with pytest.raises(TrainingError, match="nothing to use yet"):
        train(image, out, overwrite=True, cancel=lambda: Stop.USE, **given)
    assert read_checkpoint(checkpoint_of(out)).step == 3
    # other settings: what is there is not even read
    other = {**given, "settings": replace(TINY, seed=5)}
    train(image, out, overwrite=True, cancel=lambda: paused_at(2), **other)
    kept = read_checkpoint(checkpoint_of(out))
    assert (kept.step, kept.settings.seed) == (2, 5)


def test_a_pause_whose_state_finds_no_room_says_so(image: NDArray[Any], tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"

    def pause() -> Stop:
        checkpoint_of(out).mkdir(exist_ok=True)
        return Stop.PAUSE

    with pytest.raises(TrainingError, match="state of step 0 is not kept: ") as info:
        train(image, out, settings=TINY, device="cpu", cancel=pause)
    assert info.value.field == "checkpoint"


@pytest.mark.parametrize("method", ["n2v2", "supervised"])
def test_what_was_trained_is_exported_with_the_same_pixels(
    method: str, image: NDArray[Any], tmp_path: Path
) -> None:
    settings = replace(TINY, method=method, steps=10, depth=2, features=8)
    target = image // 2 if method == "supervised" else None
    given = image[:64, :64].astype(np.float32)
    out = train(image, tmp_path / "m.safetensors", target=target, settings=settings, device="cpu")
    expected = predict(given, load_model(out, device="cpu"))
    assert np.abs(expected - given).max() > 0.05 * np.ptp(given)
    for ending in ("zip", "pt", "ckpt"):
        path = export_model(out, tmp_path / f"exported.{ending}")
        found = predict(given, load_model(path, device="cpu"))
        assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected), ending


def test_a_name_that_is_too_long_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"name n+… is too long, .*: choose a shorter one"):
        train(tmp_path / "none.tif", tmp_path / f"{'n' * 230}.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_before_anything_is_done(
    image: NDArray[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.safetensors"
    check_room(path, 1)
    with pytest.raises(OSError, match=r"MB free in .* takes 6000000000\.0 MB: make room, or"):
        check_room(path, 10**15)
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=10_000))
    with pytest.raises(OSError, match=r"there are 0\.0 MB free in .*: make room, or choose"):
        train(image, path, settings=TINY, device="cpu")
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_place_of_the_state_is_told_before(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors.training").mkdir()
    with pytest.raises(IsADirectoryError, match="state of the training goes there: choose another"):
        train(tmp_path / "none.tif", tmp_path / "m.safetensors", overwrite=True)


def test_other_endings_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"m.pt has no ending .safetensors") as caught:
        train(tmp_path / "no such image.tif", tmp_path / "m.pt")
    assert caught.value.field == "model_out"


def test_a_plan_says_what_happens_and_stays_open(image: NDArray[Any], tmp_path: Path) -> None:
    with plan_training(image, TINY, mask="foreground") as plan:
        assert plan.summary[0] == "Noise2Void in 2D, 0.2 % of the pixels hidden"
        assert plan.summary[1] == "8 steps of 2 patches of 16 × 16 px"
        assert plan.summary[2] == "U-Net of depth 1 with 4 features; 1 channel"
        with pytest.raises(TypeError, match="a plan brings target, mask and settings"):
            train(plan, tmp_path / "m.safetensors", settings=TINY)
        train(plan, tmp_path / "m.safetensors", device="cpu")
        assert plan.data.training_batch(0, 2).noisy.shape == (2, 1, 16, 16)


def test_a_target_is_learned_from(image: NDArray[Any], tmp_path: Path) -> None:
    supervised = TrainingSettings(**{**TINY.to_json(), "method": "supervised", "loss": "l1"})
    tifffile.imwrite(tmp_path / "clean.tif", image // 2)
    out = train(
        image,
        tmp_path / "m.safetensors",
        target=tmp_path / "clean.tif",
        settings=supervised,
        device="cpu",
    )
    document = read_trained(out).document
    assert document.training["data"]["target"].endswith("clean.tif")
    assert document.target_means is not None
    assert document.target_means[0] < 60 < document.means[0]


def test_a_mask_may_be_a_file(image: NDArray[Any], tmp_path: Path) -> None:
    marked = np.zeros(image.shape, np.uint8)
    marked[:, :32] = 1
    tifffile.imwrite(tmp_path / "mask.tif", marked)
    with plan_training(image, TINY, mask=tmp_path / "mask.tif") as plan:
        masked = plan.data.patches
    with plan_training(image, TINY) as plan:
        assert masked < plan.data.patches


def test_two_trainings_to_one_model_are_refused(image: NDArray[Any], tmp_path: Path) -> None:
    path, told = tmp_path / "model.safetensors", []

    def begin(_: Trainer) -> None:
        with pytest.raises(FileExistsError, match=r"is trained by another run of this program"):
            train(image, path, settings=TINY, device="cpu", overwrite=True, resume=True)
        told.append(True)

    train(image, path, settings=TINY, device="cpu", on_start=begin)
    assert told
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_stack_that_was_open_stays_open(image: NDArray[Any], tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "cells.tif", image)
    with open_stack(tmp_path / "cells.tif") as stack:  # type: ignore[attr-defined]
        train(stack, tmp_path / "m.safetensors", settings=TINY, device="cpu")
        assert stack.extract_patch(0, None, (0, 0), (4, 4)).shape == (1, 4, 4)
