"""Weights of known networks, and what is said of unknown ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_tessera.models.architectures import DnCNN, UNet
from napari_tessera.models.checkpoints import load_checkpoint
from napari_tessera.models.errors import ModelError
from napari_tessera.models.networks import BiasFreeResidualCNN

from ..architectures.weights import dncnn_state, unet_state
from .files import saved
from .whole import predict_whole


def test_a_careamics_unet(tmp_path: Path) -> None:
    loaded = load_checkpoint(saved(unet_state(dims=3), tmp_path, "weights.pt"))
    assert loaded.format == "weights of a CAREamics UNet"
    assert (loaded.spatial_dims, loaded.in_channels) == (3, 1)
    assert (loaded.processing, loaded.default_normalization) == (None, "time_point")
    (warning,) = loaded.warnings
    assert "weights alone do not say" in warning
    assert isinstance(loaded.network, UNet)


def test_a_dncnn_in_a_parallel_network(tmp_path: Path) -> None:
    state = {f"module.{key}": value for key, value in dncnn_state(channels=3).items()}
    loaded = load_checkpoint(saved({"params": state}, tmp_path, "dncnn.pth"))
    assert loaded.format == "weights of DnCNN"
    assert (loaded.spatial_dims, loaded.in_channels) == (2, 3)
    assert isinstance(loaded.network, DnCNN)
    assert loaded.default_normalization == "model"
    assert "Zhang" in loaded.about.citations[0].text


@pytest.mark.parametrize("prefix", ["", "net."])
def test_our_own_network(prefix: str, tmp_path: Path) -> None:
    network = BiasFreeResidualCNN(8, 2)
    path = tmp_path / "own.safetensors"
    save_file({prefix + key: value.half() for key, value in network.state_dict().items()}, path)
    loaded = load_checkpoint(path)
    assert loaded.format == "weights of this package's residual network"
    assert (loaded.spatial_dims, loaded.in_channels) == (2, 1)
    x = torch.randn(1, 1, 8, 12)
    assert callable(loaded.network)
    torch.testing.assert_close(loaded.network(x), network.half().float()(x))


def _refused(path: Path, says: str) -> None:
    with pytest.raises(ModelError, match=says) as raised:
        load_checkpoint(path)
    assert "\n" not in str(raised.value)
    assert "Export the network where it runs: torch.jit.trace" in str(raised.value)


def test_unknown_weights(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Conv1d(1, 1, 1))
    path = saved(network.state_dict(), tmp_path, "w.pt")
    _refused(path, "^w.pt cannot be loaded: it holds weights only, and of no network that is known")


def test_known_weights_that_do_not_fit_together(tmp_path: Path) -> None:
    state = unet_state()
    state["decoder.bottleneck.conv1.weight"] = torch.zeros(3, 3, 3, 3)
    _refused(saved(state, tmp_path), "conv1.weight has shape")
    state = BiasFreeResidualCNN(8, 2).state_dict()
    state["head.weight"] = torch.zeros(8, 3, 3, 3)
    _refused(saved(state, tmp_path), "head.weight has shape")


def test_a_network_as_large_as_a_name_can_say(tmp_path: Path) -> None:
    state = unet_state(depth=1)
    names = [key for key in state if key.startswith("encoder.encoder_blocks.0.")]
    for level in range(1, 40):
        for key in names:
            state[key.replace(".0.", f".{2 * level}.", 1)] = state[key]
    _refused(saved(state, tmp_path), "its depth 40 is outside 1…12")


def test_the_real_dncnn(shared: Path) -> None:
    path = shared / "models" / "dncnn_25" / "dncnn_25.pth"
    if not path.is_file():
        pytest.skip("shared/models/dncnn_25 is not here")
    from PIL import Image

    loaded = load_checkpoint(path)
    clean = np.asarray(Image.open(path.parent / "set12_01.png"), np.float64)
    noisy = clean + np.random.default_rng(0).normal(0, 25, clean.shape)

    def psnr(image: np.ndarray, scale: float) -> float:
        return float(20 * np.log10(255 / np.sqrt(np.mean((image / scale - clean) ** 2))))

    assert psnr(noisy, 1) == pytest.approx(20.2, abs=0.1)
    # whatever the scale of the grey levels, it is found in the image
    found = predict_whole(loaded, noisy[None] * 100)[0]
    assert psnr(found, 100) == pytest.approx(30.1, abs=0.1)
    assert isinstance(loaded.network, DnCNN)
    with torch.inference_mode():
        exact = loaded.network(torch.from_numpy(noisy / 255).float()[None, None])[0, 0]
    assert psnr(exact.double().numpy() * 255, 1) == pytest.approx(30.1, abs=0.05)
