"""Checkpoints for CAREamics: what is in them. CAREamics itself tests them in tests/interop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from napari_tessera.models import ModelError
from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.exporting import export_careamics

from ..own_files import TRAINING, saved

SMALL = UNetSettings(2, depth=1, features=8)


def exported(folder: Path, settings: UNetSettings = SMALL, **further: Any) -> dict[str, Any]:
    out = export_careamics(
        saved(folder / "my model.safetensors", settings, **further), folder / "out.ckpt"
    )
    found: dict[str, Any] = torch.load(out, weights_only=True)
    return found


def algorithm(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["hyper_parameters"]["algorithm_config"]
    return found


def data(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["datamodule_hyper_parameters"]["data_config"]
    return found


def test_what_is_in_a_checkpoint(tmp_path: Path) -> None:
    content = exported(tmp_path)
    assert all(key.startswith("model.") for key in content["state_dict"])
    assert algorithm(content)["algorithm"] == "n2v"
    assert algorithm(content)["n2v_config"]["strategy"] == "uniform"
    assert data(content)["axes"] == "YX"
    assert data(content)["normalization"]["input_means"] == [120.5]
    assert data(content)["normalization"]["target_means"] is None
    assert data(content)["patching"]["patch_size"] == [64, 64]
    assert content["careamics_info"]["experiment_name"] == "my model"


def test_methods(tmp_path: Path) -> None:
    n2v2 = exported(tmp_path, UNetSettings(3, 2, 2, depth=1, features=8, n2v2=True))
    assert algorithm(n2v2)["n2v_config"]["strategy"] == "median"
    assert data(n2v2)["axes"] == "CZYX"
    (tmp_path / "out.ckpt").unlink()
    care = exported(tmp_path, target=True)
    assert (algorithm(care)["algorithm"], algorithm(care)["loss"]) == ("care", "mse")
    assert "n2v_config" not in algorithm(care)
    assert data(care)["normalization"]["target_means"] == [700.25]


def test_settings_of_training_stay_within_what_careamics_takes(tmp_path: Path) -> None:
    own = {
        "mask_window": 99,
        "masked_percent": 0.01,
        "struct_axis": "y",
        "struct_span": 99,
        "seed": 0,
        "patch_size": [48, 64],
        "batch_size": "many",
    }
    content = exported(tmp_path, training=TRAINING | {"settings": own})
    assert algorithm(content)["n2v_config"] == {
        "name": "N2VManipulate",
        "roi_size": 21,
        "masked_pixel_percentage": 0.05,
        "strategy": "uniform",
        "struct_mask": {"axes": "vertical", "span": 15},
        "seed": 1,
    }
    assert data(content)["patching"]["patch_size"] == [64, 64]
    assert data(content)["batch_size"] == 16


def test_norms_that_are_not_used_are_there_all_the_same(tmp_path: Path) -> None:
    settings = UNetSettings(2, depth=1, features=8, batch_norm=False)
    state = exported(tmp_path, settings)["state_dict"]
    norm = "model.encoder.encoder_blocks.0.batch_norm1"
    assert torch.equal(state[f"{norm}.running_var"], torch.ones(8))
    assert f"{norm}.num_batches_tracked" in state


@pytest.mark.parametrize(
    ("settings", "further", "says"),
    [
        (UNetSettings(2, depth=1, features=4), {}, "it has 4 features, and CAREamics takes even"),
        (UNetSettings(2, depth=1, features=9), {}, "it has 9 features"),
        (UNetSettings(2, depth=1, features=8, activation="relu"), {}, "it ends in relu"),
        (UNetSettings(2, depth=1, features=8, n2v2=True), {"target": True}, "N2V2's layers"),
        (
            UNetSettings(2, 2, 4, depth=1, features=8),
            {"target": True},
            "channels are independent, and it makes 4 of 2",
        ),
    ],
)
def test_networks_that_careamics_does_not_take(
    settings: UNetSettings, further: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=says) as raised:
        exported(tmp_path, settings, **further)
    assert "Export it as a BioImage.IO package or TorchScript" in str(raised.value)
    assert not (tmp_path / "out.ckpt").exists()
