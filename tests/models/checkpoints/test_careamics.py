"""Checkpoints of CAREamics, in both layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_tessera.models.architectures import UNet
from napari_tessera.models.checkpoints import load_checkpoint
from napari_tessera.models.errors import ModelError
from napari_tessera.models.processing import Processing, Standardize, Undo

from .files import mean_std, network_settings, new_layout, old_layout, saved
from .whole import predict_whole

IMAGE = np.random.default_rng(0).gamma(2, 60, (1, 16, 24))


def _refused(content: object, folder: Path, says: str) -> None:
    path = saved(content, folder)
    with pytest.raises(ModelError, match=says) as raised:
        load_checkpoint(path)
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith("last.ckpt cannot be loaded: ")
    assert message.count(". ") >= 1, "there is no way out"


def test_the_new_layout(tmp_path: Path) -> None:
    loaded = load_checkpoint(saved(new_layout(), tmp_path))
    numbers = Standardize((100.0,), (20.0,))
    assert loaded.format == "CAREamics checkpoint 0.3"
    assert loaded.processing == Processing((numbers,), (Undo(numbers),))
    assert (loaded.spatial_dims, loaded.in_channels) == (2, 1)
    assert loaded.default_normalization == "model"
    assert (loaded.name, loaded.source) == ("last.ckpt", str(tmp_path / "last.ckpt"))
    assert loaded.sizes is not None
    assert (loaded.sizes.minimum, loaded.sizes.step) == ((4, 4), (4, 4))
    assert loaded.sizes_are_strict
    assert loaded.about.title == "fish"
    assert loaded.about.licence is None
    assert [citation.text[:5] for citation in loaded.about.citations] == ["Krull"]
    assert not loaded.warnings
    network = loaded.network
    assert isinstance(network, UNet)
    assert not network.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.parameters())


def test_the_old_layout_gives_the_same_image(tmp_path: Path) -> None:
    new = load_checkpoint(saved(new_layout(), tmp_path))
    old = load_checkpoint(saved(old_layout(), tmp_path))
    assert old.format == "CAREamics checkpoint 0.1"
    assert old.processing == new.processing
    assert np.array_equal(predict_whole(new, IMAGE), predict_whole(old, IMAGE))


@pytest.mark.parametrize("legacy", [False, True])
def test_either_file_layout_of_pytorch(legacy: bool, tmp_path: Path) -> None:
    loaded = load_checkpoint(saved(new_layout(), tmp_path, legacy=legacy))
    assert predict_whole(loaded, IMAGE).shape == IMAGE.shape


@pytest.mark.parametrize("n2v2", [False, True])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize(
    ("channels", "classes", "independent"), [(1, 1, True), (3, 3, True), (2, 1, False)]
)
@pytest.mark.parametrize("dims", [2, 3])
def test_any_network(
    dims: int,
    channels: int,
    classes: int,
    independent: bool,
    depth: int,
    n2v2: bool,
    tmp_path: Path,
) -> None:
    model = network_settings(
        conv_dims=dims,
        in_channels=channels,
        num_classes=classes,
        independent_channels=independent,
        depth=depth,
        n2v2=n2v2,
    )
    loaded = load_checkpoint(saved(new_layout(model), tmp_path))
    assert (loaded.spatial_dims, loaded.in_channels) == (dims, channels)
    size = (8, 16, 8)[-dims:]
    answer = predict_whole(loaded, np.ones((channels, *size)))
    assert answer.shape == (classes, *size)


def test_what_weights_do_not_show_comes_from_the_settings(tmp_path: Path) -> None:
    def network(**changed: Any) -> UNet:
        content = new_layout(network_settings(**changed))
        found = load_checkpoint(saved(content, tmp_path)).network
        assert isinstance(found, UNet)
        return found

    x = torch.randn(1, 1, 8, 8)
    plain = network()(x)
    torch.testing.assert_close(network(residual=True)(x), plain + x)
    torch.testing.assert_close(network(final_activation="Sigmoid")(x), plain.sigmoid())
    assert not torch.equal(network(use_batch_norm=False)(x), plain)


@pytest.mark.parametrize(
    ("algorithm", "config", "cited"),
    [
        ("n2v", {}, ["Krull"]),
        ("n2v", {"n2v_config": {"struct_mask_axis": "none"}}, ["Krull"]),
        ("n2v", {"n2v_config": {"struct_mask_axis": "vertical"}}, ["Krull", "Broad"]),
        ("n2v", {"n2v_config": {"struct_mask": {"axis": 0}}}, ["Krull", "Broad"]),
        ("n2n", {}, ["Lehti"]),
        ("care", {}, ["Weige"]),
    ],
)
def test_whom_to_cite(
    algorithm: str, config: dict[str, Any], cited: list[str], tmp_path: Path
) -> None:
    content = new_layout(algorithm=algorithm)
    content["hyper_parameters"]["algorithm_config"].update(config)
    loaded = load_checkpoint(saved(content, tmp_path))
    assert [citation.text[:5] for citation in loaded.about.citations] == cited


def test_n2v2_is_cited_as_well(tmp_path: Path) -> None:
    loaded = load_checkpoint(saved(new_layout(network_settings(n2v2=True)), tmp_path))
    assert len(loaded.about.citations) == 2


def test_compiled_and_parallel_networks(tmp_path: Path) -> None:
    content = new_layout()
    for wrapper in ("model._orig_mod.", "module.model.", "_orig_mod.module.model."):
        wrapped = {
            key.replace("model.", wrapper, 1): value for key, value in content["state_dict"].items()
        }
        loaded = load_checkpoint(saved({**content, "state_dict": wrapped}, tmp_path))
        assert loaded.in_channels == 1


def test_half_precision_weights_become_float32(tmp_path: Path) -> None:
    content = new_layout()
    content["state_dict"] = {key: value.half() for key, value in content["state_dict"].items()}
    loaded = load_checkpoint(saved(content, tmp_path))
    assert next(loaded.network.parameters()).dtype == torch.float32  # type: ignore[union-attr]


def test_channels_that_were_chosen_are_told(tmp_path: Path) -> None:
    content = new_layout(data={"channels": [0, "red\x1b[31m\n"]})
    (warning,) = load_checkpoint(saved(content, tmp_path)).warnings
    assert warning == "it was trained on channels 0, red [31m of its images: give it these"


def test_older_versions_came_back_to_other_grey_levels(tmp_path: Path) -> None:
    target = {"target_means": ["500.0"], "target_stds": ["60"]}
    (warning,) = load_checkpoint(saved(old_layout(algorithm="care", **target), tmp_path)).warnings
    assert "CAREamics 0.1 brought predictions back with the input's statistics" in warning
    given = mean_std(target_means=[500.0], target_stds=[60.0])
    for version, expected in (("0.2.0", 1), ("0.3.0", 0), ("0.10.0", 0)):
        content = new_layout(None, given, algorithm="care", version=version)
        assert len(load_checkpoint(saved(content, tmp_path)).warnings) == expected
    assert not load_checkpoint(saved(old_layout(), tmp_path)).warnings


def test_without_information_on_the_run(tmp_path: Path) -> None:
    content = new_layout()
    del content["careamics_info"]
    loaded = load_checkpoint(saved(content, tmp_path))
    assert (loaded.format, loaded.about.title) == ("CAREamics checkpoint", None)


def test_without_settings_of_the_data(tmp_path: Path) -> None:
    content = new_layout()
    del content["datamodule_hyper_parameters"]
    loaded = load_checkpoint(saved(content, tmp_path))
    assert (loaded.processing, loaded.default_normalization) == (None, "time_point")
    (warning,) = loaded.warnings
    assert "does not say how grey levels are normalized" in warning


@pytest.mark.parametrize(
    ("algorithm", "says"),
    [
        ("microsplit", "microsplit model, which splits"),
        ("hdn", "hdn model, which draws samples"),
        ("pn2v", "pn2v model, which predicts samples"),
        ("gan\nnew line", "algorithm 'gan new line' is none"),
        (["n2v"], "algorithm 'a list' is none"),
    ],
)
def test_other_algorithms(algorithm: Any, says: str, tmp_path: Path) -> None:
    _refused(new_layout(algorithm=algorithm), tmp_path, says)


def test_other_architectures(tmp_path: Path) -> None:
    model = network_settings(architecture="LVAE")
    content = new_layout()
    content["hyper_parameters"]["algorithm_config"]["model"] = model
    _refused(content, tmp_path, "architecture 'LVAE' is none")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"depth": 10**9}, "its depth 1000000000 is outside 1…12"),
        ({"num_channels_init": 10**9}, "its features 1000000000 is outside"),
        ({"depth": 3}, "settings say depth 3, its weights are of 2"),
        ({"num_channels_init": 8}, "settings say num_channels_init 8, its weights are of 4"),
        ({"conv_dims": 3}, "settings say conv_dims 3, its weights are of 2"),
        ({"in_channels": 2, "num_classes": 2}, "settings say in_channels 2, its weights are of 1"),
        ({"n2v2": True}, "settings say n2v2 True, its weights are of False"),
        ({"in_channels": "1"}, "its in_channels '1' is no integer"),
        ({"final_activation": "Wavelet"}, "its final activation 'Wavelet' is none of"),
        ({"residual": None}, "its residual None is neither"),
    ],
)
def test_settings_that_do_not_go_with_the_weights(
    changed: dict[str, Any], says: str, tmp_path: Path
) -> None:
    content = new_layout()
    content["hyper_parameters"]["algorithm_config"]["model"].update(changed)
    _refused(content, tmp_path, says)


def test_grouping_that_is_not_that_of_the_weights(tmp_path: Path) -> None:
    content = new_layout(network_settings(in_channels=2, num_classes=2))
    content["hyper_parameters"]["algorithm_config"]["model"]["independent_channels"] = False
    _refused(content, tmp_path, "settings say independent_channels False")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("final_conv.weight", None, r"1 of its weights are missing \('final_conv.bias'\)|UNet"),
        ("decoder.bottleneck.conv1.bias", None, "1 of its weights are missing"),
        ("extra.weight", torch.zeros(2), "it has 1 weights too many"),
        ("decoder.bottleneck.conv1.weight", torch.zeros(16, 8, 3, 5), "has shape"),
        ("final_conv.bias", torch.tensor([torch.nan]), "not finite"),
        ("final_conv.bias", torch.tensor([1j]), "complex64"),
        ("final_conv.bias", torch.tensor([1]), "int64, not real numbers"),
        ("final_conv.bias", torch.zeros(1).expand(10**12), "claims 1,000,000,000,000 numbers"),
        ("final_conv.bias", torch.zeros(1).to_sparse(), "no plain array"),
    ],
)
def test_weights_that_do_not_fit(
    key: str, value: torch.Tensor | None, says: str, tmp_path: Path
) -> None:
    content = new_layout()
    if value is None:
        del content["state_dict"][f"model.{key}"]
    else:
        content["state_dict"][f"model.{key}"] = value
    _refused(content, tmp_path, says)


def test_statistics_that_are_none(tmp_path: Path) -> None:
    _refused(new_layout(normalization=mean_std(input_means=["many"])), tmp_path, "no number")
    _refused(old_layout(image_stds=["nan"]), tmp_path, "not finite")


@pytest.mark.parametrize(
    ("folder", "file", "version"),
    [
        ("careamics_n2v_2d", "n2v2d_fmd_fish_last.ckpt", "0.3"),
        ("careamics_n2v2_2d", "n2v2_blurpool_fish_last.ckpt", "0.3"),
        ("careamics_0.1.0_n2v_2d", "n2v2d_fmd_fish_last.ckpt", "0.1"),
    ],
)
def test_real_ones_give_what_careamics_gives(
    folder: str, file: str, version: str, shared: Path
) -> None:
    path = shared / "models" / folder / file
    if not path.is_file():
        pytest.skip(f"shared/models/{folder} is not here")
    loaded = load_checkpoint(path)
    assert loaded.format == f"CAREamics checkpoint {version}"
    image = np.squeeze(np.load(path.parent / "input.npy"))
    expected = np.squeeze(np.load(path.parent / "ref_whole.npy"))
    found = predict_whole(loaded, image[None])[0]
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)
