"""Checkpoints against CAREamics itself. Run with ``tox -e interop``; skipped where it is not there.

Networks, settings and grey levels are CAREamics' own; the checkpoints of the last tests are written
by its own training.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_tessera.models.checkpoints import load_checkpoint

from ..models.checkpoints.whole import predict_whole

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    careamics = pytest.importorskip("careamics")
    normalizing = pytest.importorskip("careamics.dataset.normalization.normalization_factory")
    factories = pytest.importorskip("careamics.config.factories")
    modules = pytest.importorskip("careamics.lightning.modules")

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

CLOSE = 1e-5
"""Largest difference, as a share of the output's range."""

NORMALIZATIONS = ("mean_std", "min_max", "quantile", "none")
ACTIVATIONS = ("None", "Sigmoid", "Softmax", "Tanh", "ReLU", "LeakyReLU")


def _draw(number: int) -> dict[str, Any]:
    """One of many configurations, always the same for a number."""
    rng = np.random.default_rng(number)
    algorithm = ("n2v", "care", "n2n")[number % 3]
    channels = int(rng.integers(1, 5))
    independent = bool(rng.integers(2))
    classes = channels
    if algorithm == "care" and not independent:
        classes = int(rng.integers(1, 4))
    per_channel = bool(rng.integers(2)) or classes != channels
    return {
        "algorithm": algorithm,
        "dims": int(rng.choice([2, 2, 3])),
        "channels": channels,
        "classes": classes,
        "independent": independent,
        "depth": int(rng.integers(1, 4)),
        "n2v2": algorithm == "n2v" and bool(rng.integers(2)),
        "batch_norm": bool(rng.integers(4)),
        "residual": classes == channels and bool(rng.integers(2)),
        "normalization": NORMALIZATIONS[int(rng.integers(4))],
        "per_channel": per_channel and classes == channels,
        "target": algorithm != "n2v",
        "skip_target": number % 7 == 5,
    }


def _statistics(drawn: dict[str, Any]) -> dict[str, Any]:
    """Settings of a normalization with numbers of its own."""
    kind = drawn["normalization"]
    if kind == "none":
        return {"name": "none"}
    rng = np.random.default_rng(1)
    names = {
        "mean_std": ("means", "stds"),
        "min_max": ("mins", "maxes"),
        "quantile": ("lower_quantile_values", "upper_quantile_values"),
    }[kind]
    found: dict[str, Any] = {
        "name": kind,
        "per_channel": drawn["per_channel"],
        "skip_target": drawn["skip_target"],
    }
    sides = [("input", drawn["channels"])]
    sides += [("target", drawn["classes"])] if drawn["target"] else []
    for side, count in sides:
        n = count if drawn["per_channel"] else 1
        found[f"{side}_{names[0]}"] = list(rng.uniform(10, 100, n))
        found[f"{side}_{names[1]}"] = list(rng.uniform(120, 900, n))
    return found


def _configuration(drawn: dict[str, Any]) -> Any:
    axes = (
        ("ZYX" if drawn["dims"] == 3 else "YX")
        if drawn["channels"] == 1
        else ("CZYX" if drawn["dims"] == 3 else "CYX")
    )
    if drawn["classes"] != drawn["channels"] and "C" not in axes:
        axes = f"C{axes}"
    model = {
        "depth": drawn["depth"],
        "num_channels_init": 8,
        "residual": drawn["residual"],
        "use_batch_norm": drawn["batch_norm"],
    }
    common = {
        "experiment_name": "test",
        "data_type": "array",
        "axes": axes,
        "patch_size": (8,) * (drawn["dims"] - 2) + (16, 16),
        "batch_size": 1,
        "independent_channels": drawn["independent"],
        "model_params": model,
    }
    many = "C" in axes
    if drawn["algorithm"] == "n2v":
        config = factories.create_advanced_n2v_config(
            **common,
            n_channels=drawn["channels"] if many else None,
            use_n2v2=drawn["n2v2"],
            masked_pixel_percentage=5,
        )
    else:
        create = getattr(factories, f"create_advanced_{drawn['algorithm']}_config")
        config = create(
            **common,
            n_channels_in=drawn["channels"] if many else None,
            n_channels_out=drawn["classes"] if many else None,
        )
    data = config.data_config.model_dump(mode="json")
    data["normalization"] = _statistics(drawn)
    return config, type(config.data_config)(**data)


def _randomized(module: torch.nn.Module, seed: int) -> None:
    """Give weights as if they had been trained: statistics, and channels that are not dead."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.2, 0.5, generator=generator)
        elif name.endswith("running_mean"):
            value.uniform_(-0.2, 0.1, generator=generator)
        elif name.endswith("num_batches_tracked"):
            value.fill_(3)
        elif name.endswith("conv1.weight") or name.endswith("conv2.weight"):
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)


@pytest.mark.parametrize("number", range(60))
def test_any_network_and_normalization(number: int, tmp_path: Path) -> None:
    drawn = _draw(number)
    torch.manual_seed(number)
    config, data = _configuration(drawn)
    module = modules.get_module_cls(config.algorithm_config.algorithm)(config.algorithm_config)
    _randomized(module, number)
    path = tmp_path / "last.ckpt"
    torch.save(
        {
            "state_dict": module.state_dict(),
            "hyper_parameters": dict(module.hparams),
            "datamodule_hyper_parameters": {"data_config": data.model_dump(mode="json")},
            "careamics_info": {"version": careamics.__version__, "experiment_name": "test"},
        },
        path,
    )
    loaded = load_checkpoint(path)
    assert loaded.spatial_dims == drawn["dims"]
    assert loaded.in_channels == drawn["channels"]
    size = (8, 16, 24) if drawn["dims"] == 3 else (32, 48)
    image = np.random.default_rng(number).gamma(2, 60, (drawn["channels"], *size))
    normalization = normalizing.create_normalization(data.normalization)
    given, _ = normalization(image.astype(np.float32))
    module.eval()
    with torch.inference_mode():
        answer = module.model(torch.from_numpy(given)[None])
        expected = normalization.denormalize(answer)[0].numpy()
    found = predict_whole(loaded, image.astype(np.float32))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= CLOSE * np.ptp(expected), drawn


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "ELU"])
def test_activations_of_the_network_itself(activation: str) -> None:
    from careamics.models.unet import UNet

    from napari_tessera.models.architectures import build

    keywords = {
        "conv_dims": 2,
        "in_channels": 2,
        "num_classes": 2,
        "depth": 2,
        "num_channels_init": 8,
        "independent_channels": False,
        "final_activation": activation,
        "architecture": "UNet",
    }
    theirs = UNet(**keywords).eval()
    _randomized(theirs, 0)
    ours = build("UNet", keywords, theirs.state_dict())
    x = torch.randn(2, 2, 32, 16)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-6, rtol=1e-5)


def _noisy(shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    smooth = rng.gamma(2, 50, shape)
    return (smooth + rng.normal(0, 10, shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("algorithm", "axes", "shape", "settings"),
    [
        ("n2v", "YX", (64, 64), {}),
        (
            "n2v",
            "CYX",
            (3, 64, 64),
            {"n_channels": 3, "use_n2v2": True, "normalization": "min_max"},
        ),
        ("n2v", "ZYX", (16, 32, 32), {"normalization": "quantile"}),
        ("care", "YX", (64, 64), {"normalization": "mean_std"}),
        ("care", "CYX", (2, 64, 64), {"n_channels_in": 2, "n_channels_out": 2}),
        ("n2n", "YX", (64, 64), {"normalization": "none"}),
    ],
)
def test_checkpoints_that_training_writes(
    algorithm: str, axes: str, shape: tuple[int, ...], settings: dict[str, Any], tmp_path: Path
) -> None:
    if algorithm == "n2v":
        settings = {**settings, "masked_pixel_percentage": 5}
    create = getattr(factories, f"create_advanced_{algorithm}_config")
    config = create(
        experiment_name="test",
        data_type="array",
        axes=axes,
        patch_size=(8, 16, 16) if "Z" in axes else (16, 16),
        batch_size=2,
        num_epochs=1,
        num_steps=2,
        num_workers=0,
        n_val_patches=1,
        model_params={"depth": 2, "num_channels_init": 8},
        trainer_params={"accelerator": "cpu", "enable_progress_bar": False},
        **settings,
    )
    trainer = careamics.CAREamist(config, work_dir=tmp_path, enable_progress_bar=False)
    image = _noisy(shape)
    data = {"train_data": image}
    if algorithm != "n2v":
        data["train_data_target"] = image * 3 + 500
    trainer.train(**data)
    path = next(tmp_path.rglob("*last.ckpt"))
    predictions, _ = trainer.predict(image, tile_size=None, num_workers=0)
    loaded = load_checkpoint(path)
    assert loaded.format.startswith("CAREamics checkpoint 0.")
    expected = np.squeeze(predictions[0])
    plain = image if "C" in axes else image[None]
    found = np.squeeze(predict_whole(loaded, plain))
    assert np.abs(found - expected).max() <= CLOSE * np.ptp(expected)
