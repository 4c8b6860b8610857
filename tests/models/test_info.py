from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from napari_tessera.models import About, Citation, ModelInfo, ValidSizes, load_model
from napari_tessera.models.model import Model


def test_everything_that_is_known(make_unet: Callable[..., nn.Module]) -> None:
    network = make_unet()
    info = load_model(network, device="cpu").info
    assert isinstance(info, ModelInfo)
    assert (info.name, info.format, info.source) == ("UNet", "PyTorch module", "python:UNet")
    assert (info.spatial_dims, info.in_channels, info.out_channels) == (2, 1, 1)
    assert (info.dtype, info.precision, info.numbers) == ("float32",) * 3
    assert info.normalization == "none"
    assert info.sizes == ValidSizes((4, 4), (4, 4), (None, None))
    assert (info.reach, info.period, info.is_global) == ((26, 26), (4, 4), False)
    assert (info.output_scale, info.offset, info.far_offset) == ((1.0, 1.0), (0, 0), (0, 0))
    assert info.parameters == sum(weight.numel() for weight in network.parameters())
    assert (info.own_test, info.warnings) == ("none", ())
    assert len(info.sha256) == 64


def test_as_json() -> None:
    about = About(licence="MIT", authors=("A", "B"), citations=(Citation("A paper", "doi:1"),))
    plain = load_model(nn.InstanceNorm2d(1), device="cpu")
    model = Model(replace(plain.loaded, about=about), 2, 1, device="cpu")
    content = model.info.to_dict()
    assert json.loads(json.dumps(content)) == content
    assert content["is_global"] is True
    assert content["reach"] is None
    assert content["about"]["citations"] == [{"text": "A paper", "link": "doi:1"}]
    assert content["sizes"]["maximum"] == [None, None]


@pytest.mark.parametrize(
    ("dtype", "precision", "text"),
    [
        ("float32", "bfloat16", "takes float32, computes in bfloat16"),
        ("float16", "float32", "float16"),
        ("uint8", "float32", "takes uint8, computes in float32"),
    ],
)
def test_numbers_that_it_takes_and_computes_in(dtype: str, precision: str, text: str) -> None:
    plain = load_model(nn.Conv2d(1, 1, 3), device="cpu").loaded
    info = Model(replace(plain, dtype=dtype), 2, 1, device="cpu", precision=precision).info
    assert (info.dtype, info.precision, info.numbers) == (dtype, precision, text)
    assert info.to_dict()["numbers"] == text


def test_both_ends_are_told() -> None:
    lopsided = nn.Sequential(nn.ZeroPad2d((0, 1, 2, 0)), nn.Conv2d(1, 1, 5))
    info = load_model(lopsided, device="cpu").info
    assert (info.offset, info.far_offset) == ((0, 2), (2, 1))


def test_weights_among_the_constants_are_not_counted(
    make_unet: Callable[..., nn.Module], export: Callable[..., nn.Module]
) -> None:
    model = load_model(export(make_unet(), "script+freeze"), device="cpu")
    assert model.info.parameters is None


def test_a_package_that_fails_its_own_test_warns(shared: Path, tmp_path: Path) -> None:
    path = shared / "models" / "bioimageio_bad_package" / "care2d_fmd_bmz.zip"
    if not path.is_file():
        pytest.skip("shared/models/bioimageio_bad_package is not here")
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"care2d_fmd_bmz.zip: .* own test fails by 23\.7"):
            model = load_model(path, device="cpu")
        (warning,) = model.warnings
        assert "own test fails by 23.7 (at most 0.01 plus 1 % of the value is allowed" in warning
        assert model.info.own_test == warning


def test_a_package_that_passes_its_own_test_is_silent(shared: Path) -> None:
    path = shared / "models" / "careamics_n2v_2d" / "n2v2d_fmd_fish_bmz.zip"
    if not path.is_file():
        pytest.skip("shared/models/careamics_n2v_2d is not here")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = load_model(path, device="cpu")
    assert model.warnings == ()
    assert "passes" in model.info.own_test
    assert model.run_own_test().passed
