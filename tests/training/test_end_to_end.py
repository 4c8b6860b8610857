"""From an image to a model to a denoised image, with nothing in between left out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.ndimage import gaussian_filter

from napari_tessera import load_model, open_stack, predict
from napari_tessera.training import (
    Stop,
    Trainer,
    TrainingPlan,
    TrainingProgress,
    TrainingSettings,
    checkpoint_of,
    plan_training,
    train,
)

pytestmark = pytest.mark.slow

Image = NDArray[Any]


def scene(*shape: int, seed: int = 0, level: float = 60.0) -> Image:
    """Blurred noise, so that there is structure at several scales: float32, level ± level / 2."""
    rng = np.random.default_rng(seed)
    made = np.zeros(shape)
    for sigma in (1.5, 4.0, 10.0):
        part = gaussian_filter(rng.normal(size=shape), sigma, mode="wrap")
        made += part / part.std()
    return (level * (1 + np.clip(made / made.std(), -2, 2) / 4)).astype(np.float32)


def noisy(clean: Image, seed: int = 1) -> Image:
    return np.random.default_rng(seed).poisson(clean).astype(np.uint16)


def tiny(**changes: Any) -> TrainingSettings:
    settings: dict[str, Any] = {
        "steps": 30,
        "depth": 1,
        "features": 4,
        "patch_size": (16, 16),
        "batch_size": 4,
        "validate_every": 10,
        "precision": "float32",
    }
    if changes.get("method") != "supervised":
        settings["masked_percent"] = 3.0
    return TrainingSettings(**(settings | changes))


def psnr(made: Image, clean: Image) -> float:
    error = float(np.mean((np.asarray(made, float) - clean) ** 2))
    return float(10 * np.log10((clean.max() - clean.min()) ** 2 / error))


def same_weights(path: Path, other: Path) -> bool:
    first, second = load_file(path), load_file(other)
    assert first.keys() == second.keys()
    return all(np.array_equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("method", ["n2v", "n2v2", "supervised"])
def test_the_file_gives_what_the_network_gave(tmp_path: Path, method: str) -> None:
    """Weights, grey levels of input and target: all of it is in the file."""
    clean = scene(64, 80)
    image = noisy(clean)
    trainers: list[Trainer] = []
    path = train(
        image,
        tmp_path / "net.safetensors",
        target=3 * clean + 1000 if method == "supervised" else None,
        settings=tiny(method=method, validation_percent=0.0),
        device="cpu",
        on_start=trainers.append,
    )
    levels = trainers[0].data.statistics
    given = (image.astype(np.float32) - levels.means[0]) / (levels.stds[0] + 1e-6)
    with torch.no_grad():
        answer = trainers[0].snapshot()(torch.from_numpy(given)[None, None])[0, 0].numpy()
    mean, std = levels.means[0], levels.stds[0]
    if method == "supervised":
        assert levels.target_means is not None
        assert levels.target_stds is not None
        mean, std = levels.target_means[0], levels.target_stds[0]
        assert mean == pytest.approx(3 * clean.mean() + 1000, rel=0.01)
    expected = answer * (std + 1e-6) + mean
    made = predict(image, load_model(path, device="cpu"))
    assert np.abs(made - expected).max() <= 1e-5 * np.ptp(expected)


@pytest.mark.parametrize(
    ("axes", "shape", "changes", "channels"),
    [
        ("TYX", (3, 48, 56), {}, 1),
        ("CYX", (3, 48, 56), {}, 3),
        ("CYX", (3, 48, 56), {"independent_channels": False}, 3),
        ("ZYX", (5, 48, 56), {}, 1),
        ("ZYX", (12, 48, 40), {"spatial_dims": 3, "patch_size": (4, 16, 16)}, 1),
        ("TCZYX", (2, 2, 8, 40, 48), {"spatial_dims": 3, "patch_size": (4, 16, 16)}, 2),
        ("STCZYX", (2, 2, 2, 3, 40, 32), {"struct_axis": "x"}, 2),
    ],
)
def test_any_axes(
    tmp_path: Path, axes: str, shape: tuple[int, ...], changes: dict[str, Any], channels: int
) -> None:
    image = np.random.default_rng(0).poisson(60, shape).astype(np.uint16)
    stack = open_stack(image, axes)
    path = train(stack, tmp_path / "net.safetensors", settings=tiny(**changes), device="cpu")
    model = load_model(path, device="cpu")
    assert model.info.in_channels == channels
    assert model.info.spatial_dims == changes.get("spatial_dims", 2)
    made = predict(stack, model)
    assert made.shape == shape
    assert made.mean() == pytest.approx(60, rel=0.2)
    # a flat image: what is left of the noise is less than there was
    assert made.std() < image.std()


@pytest.mark.parametrize("kind", ["tif", "zarr"])
def test_files_are_trained_on_as_arrays_are(tmp_path: Path, kind: str) -> None:
    import zarr

    image = noisy(scene(64, 80))
    source = tmp_path / f"in.{kind}"
    if kind == "tif":
        tifffile.imwrite(source, image)
    else:
        zarr.create_array(source, data=image, chunks=(32, 32))
    made = [
        train(given, tmp_path / f"{name}.safetensors", settings=tiny(), device="cpu")
        for name, given in (("array", open_stack(image, "YX")), ("file", open_stack(source, "YX")))
    ]
    assert same_weights(*made)


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    image = noisy(scene(64, 80))
    made = [
        train(image, tmp_path / f"{n}.safetensors", settings=tiny(seed=seed), device="cpu")
        for n, seed in enumerate((3, 3, 4))
    ]
    assert same_weights(made[0], made[1])
    assert not same_weights(made[0], made[2])


def test_a_plan_is_trained_as_it_stands(tmp_path: Path) -> None:
    image = noisy(scene(64, 80))
    plan = plan_training(image, tiny(patch_size=None, batch_size=None))
    try:
        assert isinstance(plan, TrainingPlan)
        assert plan.settings.patch_size == (32, 32)
        assert plan.settings.batch_size == 16
        assert plan.summary
        assert all("\n" not in line for line in plan.summary)
        path = train(plan, tmp_path / "net.safetensors", device="cpu")
    finally:
        plan.data.close()
    assert path == tmp_path / "net.safetensors"


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    told: list[TrainingProgress] = []
    train(
        noisy(scene(64, 80)),
        tmp_path / "net.safetensors",
        settings=tiny(),
        device="cpu",
        progress=told.append,
    )
    last = told[-1]
    assert [state.step for state in told] == sorted(state.step for state in told)
    assert (last.step, last.steps, last.notice) == (30, 30, None)
    assert last.training_loss is not None
    assert last.validation_loss is not None


def after(steps: int, stop: Stop) -> Callable[[], Stop | None]:
    """Stop when asked for the n-th time: that is between two steps."""
    asked = [0]

    def cancel() -> Stop | None:
        asked[0] += 1
        return stop if asked[0] > steps else None

    return cancel


@pytest.mark.parametrize("steps", [0, 1, 17])
def test_a_pause_keeps_the_state_alone_and_is_gone_on_with(tmp_path: Path, steps: int) -> None:
    image = noisy(scene(64, 80))
    path = tmp_path / "net.safetensors"
    for _ in range(2):
        paused = train(
            image,
            path,
            settings=tiny(),
            device="cpu",
            resume=True,
            cancel=after(steps // 2, Stop.PAUSE),
        )
        assert paused == checkpoint_of(path)
        assert [entry.name for entry in tmp_path.iterdir()] == [paused.name]
    assert train(image, path, settings=tiny(), device="cpu", resume=True) == path
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    whole = train(image, tmp_path / "whole.safetensors", settings=tiny(), device="cpu")
    assert same_weights(path, whole)


def test_what_is_stopped_to_be_used_can_be_used(tmp_path: Path) -> None:
    image = noisy(scene(64, 80))
    path = tmp_path / "net.safetensors"
    made = train(image, path, settings=tiny(), device="cpu", cancel=after(9, Stop.USE))
    assert made == path
    assert np.isfinite(predict(image, load_model(path, device="cpu"))).all()


def test_what_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    image = noisy(scene(64, 80))
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"of somebody")
    with pytest.raises(FileExistsError, match=r"net\.safetensors"):
        train(image, path, settings=tiny(), device="cpu")
    assert path.read_bytes() == b"of somebody"
    train(image, path, settings=tiny(), device="cpu", overwrite=True)
    before = path.read_bytes()
    # a model that is there stays until the new one is whole
    train(image, path, settings=tiny(), device="cpu", overwrite=True, cancel=after(5, Stop.PAUSE))
    assert path.read_bytes() == before
    assert checkpoint_of(path).exists()
    path.unlink()
    with pytest.raises(FileExistsError, match=r"net\.safetensors\.training .*: resume it, or"):
        train(image, path, settings=tiny(), device="cpu")


def test_with_clean_images_it_comes_closer_to_them_than_the_noisy_one(tmp_path: Path) -> None:
    clean = scene(160, 160)
    image = noisy(clean)
    path = train(
        image,
        tmp_path / "net.safetensors",
        target=clean,
        settings=tiny(method="supervised", steps=250, features=8, ema=0.98, learning_rate=2e-3),
        device="cpu",
    )
    # another image of the same kind: what was learned, and not by heart
    fresh = scene(160, 160, seed=5)
    given = noisy(fresh, seed=6)
    made = predict(given, load_model(path, device="cpu"))
    assert psnr(made, fresh) > psnr(given, fresh) + 3


@pytest.mark.parametrize("name", ["fish", "BPAE_B"])
def test_a_real_image_alone_teaches_to_denoise_it(shared: Path, tmp_path: Path, name: str) -> None:
    folder = shared / "data" / "pairs"
    image = tifffile.imread(folder / f"{name}_noisy.tif")
    clean = tifffile.imread(folder / f"{name}_avg50.tif").astype(np.float32)
    began = time.process_time()
    path = train(
        image,
        tmp_path / "net.safetensors",
        settings=TrainingSettings(steps=150, features=16, batch_size=8),
        device="cpu",
    )
    seconds = time.process_time() - began
    made = predict(image, load_model(path, device="cpu"))
    before, after = psnr(image, clean), psnr(made, clean)
    print(f"{name}: {before:.2f} dB, {after:.2f} dB after {seconds:.1f} s of one core")
    assert after > before + 3


def test_nothing_is_warned_of(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        path = train(
            noisy(scene(64, 80)), tmp_path / "net.safetensors", settings=tiny(), device="cpu"
        )
        load_model(path, device="cpu")
    assert [str(one.message) for one in caught] == []
