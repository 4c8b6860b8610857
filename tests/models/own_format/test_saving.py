"""What is saved is what is loaded, in this process and in a fresh one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch.nn import functional

from napari_tessera import load_model, open_stack, predict
from napari_tessera.models import ModelError
from napari_tessera.models.architectures import UNet, UNetSettings
from napari_tessera.models.own_format import read_trained, save_trained

from ..own_files import Levels, image, levels, network, saved

KINDS = {
    "2D": (UNetSettings(2, depth=2, features=4), False),
    "N2V2, 2 channels": (UNetSettings(2, 2, 2, depth=1, features=4, n2v2=True), False),
    "mixed channels": (UNetSettings(2, 3, 3, depth=1, features=4, independent=False), False),
    "3D with a target": (UNetSettings(3, depth=1, features=4), True),
    "2 to 1, no norms": (
        UNetSettings(2, 2, 1, depth=1, features=4, independent=False, batch_norm=False),
        True,
    ),
}


@pytest.mark.parametrize(("settings", "target"), KINDS.values(), ids=KINDS)
def test_it_predicts_what_the_network_does(
    settings: UNetSettings, target: bool, tmp_path: Path
) -> None:
    path = saved(tmp_path / "m.safetensors", settings, target=target)
    document = read_trained(path).document
    statistics = levels(settings, target=target)
    sizes = (24, 28) if settings.spatial_dims == 2 else (4, 12, 16)
    given = image(settings, statistics, *sizes)
    along = (-1, *(1,) * len(sizes))

    def column(values: tuple[float, ...]) -> np.ndarray:
        return np.reshape(values, along)

    scaled = (given - column(document.means)) / (column(document.stds) + 1e-6)
    with torch.no_grad():
        answer = network(settings).eval()(torch.from_numpy(scaled.astype(np.float32))[None])[0]
    means, stds = document.output_pair
    expected = answer.numpy() * (column(stds) + 1e-6) + column(means)
    model = load_model(path, device="cpu")
    found = np.asarray(predict(open_stack(given, "CYX" if len(sizes) == 2 else "CZYX"), model))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)
    assert model.own_test_result is not None
    assert model.own_test_result.passed
    assert model.warnings == ()


@pytest.mark.slow
def test_it_has_everything_for_a_fresh_process(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.safetensors")
    given = image(UNetSettings(2), levels(UNetSettings(2)), 50, 60)[0]
    np.save(tmp_path / "in.npy", given)
    code = (
        "import numpy as np; from napari_tessera import load_model, predict\n"
        "model = load_model('m.safetensors', device='cpu')\n"
        "np.save('out.npy', predict(np.load('in.npy'), model))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=200)
    found = np.load(tmp_path / "out.npy")
    expected = np.asarray(predict(given, load_model(path, device="cpu")))
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)


def test_what_is_known_of_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "my cells.safetensors", authors=["Ada"], licence="MIT")
    info = load_model(path, device="cpu").info
    assert info.format == "napari-tessera model (Noise2Void)"
    assert (info.spatial_dims, info.in_channels, info.out_channels) == (2, 1, 1)
    assert (info.reach, info.period, info.sizes.step) == ((26, 26), (4, 4), (4, 4))
    assert info.about.title == "my cells"
    assert (info.about.authors, info.about.licence) == (("Ada",), "MIT")
    assert "4,000 steps" in (info.about.training or "")
    assert "Noise2Void" in info.about.citations[0].text
    assert info.own_test.startswith("the package's own test passes")
    assert info.normalization.startswith("(x − mean) / std by the model's numbers")


def test_a_network_that_trains_is_left_as_it_is(tmp_path: Path) -> None:
    settings = UNetSettings(2, depth=1, features=4)
    net = UNet(settings).to(memory_format=torch.channels_last)
    noisy = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        net.zero_grad()
        functional.mse_loss(net(noisy), noisy).backward()
        with torch.no_grad():
            for weight in net.parameters():
                weight -= 0.01 * (0 if weight.grad is None else weight.grad)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    path = save_trained(
        tmp_path / "m.safetensors",
        net,
        settings=settings,
        axes="YX",
        statistics=Levels((5.0,), (2.0,)),
        training={},
        test_input=np.random.default_rng(0).normal(5, 2, (1, 9, 9)),
    )
    assert net.training
    assert all(value.requires_grad for value in net.parameters())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    trained = read_trained(path)
    assert trained.test is not None
    assert trained.test[0].shape == (1, 1, 8, 8)
    kept = trained.network.state_dict()
    for key, value in before.items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(kept[key], value), key
    assert load_model(path, device="cpu").own_test_failure is None


@pytest.mark.parametrize(
    ("shape", "kept"),
    [
        ((1, 100, 101), (1, 1, 100, 100)),
        ((1, 3, 2), (1, 1, 4, 4)),
        ((5, 1, 8, 8), (2, 1, 8, 8)),
        ((1, 900, 300), (1, 1, 256, 256)),
    ],
)
def test_tests_of_any_size(shape: tuple[int, ...], kept: tuple[int, ...], tmp_path: Path) -> None:
    path = save_trained(
        tmp_path / "m.safetensors",
        network(UNetSettings(2, depth=2, features=2)),
        settings=UNetSettings(2, depth=2, features=2),
        axes="YX",
        statistics=Levels((0.0,), (1.0,)),
        training={},
        test_input=np.random.default_rng(0).normal(size=shape),
    )
    with safe_open(path, "np") as file:
        assert tuple(file.get_slice("test_input").get_shape()) == kept
        assert file.get_tensor("test_output").shape == kept


def test_a_test_that_is_not_finite_is_left_out(tmp_path: Path) -> None:
    settings = UNetSettings(2, depth=1, features=2)
    path = save_trained(
        tmp_path / "m.safetensors",
        network(settings),
        settings=settings,
        axes="YX",
        statistics=Levels((0.0,), (1.0,)),
        training={},
        test_input=np.full((1, 8, 8), np.nan),
    )
    assert read_trained(path).test is None
    assert load_model(path, device="cpu").info.own_test == "none"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"axes": "ZYX"}, "axes 'ZYX' are not the network's 'YX'"),
        ({"statistics": Levels((1.0, 2.0), (1.0, 1.0))}, "2 means do not go with 1 channel"),
        ({"statistics": Levels((float("nan"),), (1.0,))}, "nan, which is not finite"),
        ({"settings": UNetSettings(2, depth=2, features=4)}, "of its weights are missing"),
        ({"settings": UNetSettings(2, depth=1, features=8)}, "has shape"),
    ],
)
def test_what_does_not_go_together_is_not_saved(
    changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"the old one")
    usual: dict[str, Any] = {
        "settings": UNetSettings(2, depth=1, features=4),
        "axes": "YX",
        "statistics": Levels((0.0,), (1.0,)),
        "training": {},
    }
    with pytest.raises(ModelError, match=says) as raised:
        save_trained(path, network(UNetSettings(2, depth=1, features=4)), **usual | changes)
    assert str(raised.value).startswith("m.safetensors is not saved: ")
    assert path.read_bytes() == b"the old one"


def test_a_training_that_went_astray_is_not_saved(tmp_path: Path) -> None:
    settings = UNetSettings(2, depth=1, features=4)
    net = network(settings)
    net.final_conv.weight.data[0] = torch.nan
    with pytest.raises(ModelError, match=r"not finite\. Train again with a smaller learning rate"):
        save_trained(
            tmp_path / "m.safetensors",
            net,
            settings=settings,
            axes="YX",
            statistics=Levels((0.0,), (1.0,)),
            training={},
        )
    assert list(tmp_path.iterdir()) == []
