"""Packages against bioimageio.core itself. Run with ``tox -e interop``; skipped where it is not.

Each package is written here, run whole by bioimageio.core, and its answer taken for the package's
expected output.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models import load_model
from napari_tessera.models.loaded import OwnTest
from napari_tessera.models.model import Model
from napari_tessera.models.own_test import run_own_test

from ..models.bioimageio import packages

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    core = pytest.importorskip("bioimageio.core")
    spec = pytest.importorskip("bioimageio.spec")

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

Yaml = dict[str, Any]
SPACE = ["y", "x"]


class Mixes(nn.Module):
    """A convolution of two channels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x)


class MixesLast(Mixes):
    """The same for channels that come last."""

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def op(name: str, **kwargs: Any) -> Yaml:
    return {"id": name, "kwargs": kwargs} if kwargs else {"id": name}


def old(name: str, **kwargs: Any) -> Yaml:
    return {"name": name, "kwargs": kwargs} if kwargs else {"name": name}


PRE_05: list[list[Yaml]] = [
    [],
    [op("zero_mean_unit_variance")],
    [op("zero_mean_unit_variance", axes=SPACE)],
    [op("zero_mean_unit_variance", axes=["channel", *SPACE])],
    [op("zero_mean_unit_variance", axes=["batch", *SPACE])],
    [op("fixed_zero_mean_unit_variance", mean=40.0, std=25.0)],
    [op("fixed_zero_mean_unit_variance", axis="channel", mean=[40.0, 20.0], std=[5.0, 9.0])],
    [op("scale_range", axes=SPACE, min_percentile=3, max_percentile=99.8)],
    [op("scale_range", axes=["channel", *SPACE])],
    [op("scale_range", axes=SPACE, min_percentile=1), op("clip", min=0.0, max=0.8)],
    [op("scale_linear", gain=0.05, offset=-1.0)],
    [op("scale_linear", axis="channel", gain=[0.05, 0.1], offset=[-1.0, 2.0])],
    [op("scale_linear", gain=0.02), op("sigmoid")],
    [op("scale_linear", gain=0.02), op("softmax", axis="channel")],
    [op("clip", min=10.0)],
    [op("binarize", threshold=30.0), op("ensure_dtype", dtype="float32")],
    [
        op("scale_linear", gain=3.0),
        op("ensure_dtype", dtype="int16"),
        op("ensure_dtype", dtype="float32"),
    ],
]

POST_05: list[list[Yaml]] = [
    [op("sigmoid"), op("binarize", threshold=0.6)],
    [op("softmax", axis="channel")],
    [op("scale_linear", gain=20.0, offset=5.0), op("clip", min=0.0, max=90.0)],
    [op("scale_range", reference_tensor="raw", axes=SPACE)],
    [op("fixed_zero_mean_unit_variance", mean=0.3, std=0.1), op("ensure_dtype", dtype="int32")],
]

PRE_04: list[list[Yaml]] = [
    [],
    [old("zero_mean_unit_variance", mode="per_sample", axes="yx")],
    [old("zero_mean_unit_variance", mode="per_sample", axes="cyx")],
    [old("zero_mean_unit_variance", mode="fixed", axes="yx", mean=[40, 20], std=[5, 9])],
    [old("zero_mean_unit_variance", mode="fixed", axes="cyx", mean=40.0, std=5.0)],
    [old("scale_range", mode="per_sample", axes="yx", min_percentile=1.0, max_percentile=99.0)],
    [old("scale_linear", gain=0.05, offset=-1.0), old("clip", min=-1.0, max=2.0)],
]

POST_04: list[list[Yaml]] = [
    [old("sigmoid"), old("binarize", threshold=0.6)],
    [old("clip", min=-5.0, max=30.0)],
]


def image(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2, 20, shape).astype(np.float32)


def by_core(path: Path, array: np.ndarray) -> np.ndarray:
    """What bioimageio.core predicts, with the tensor's own axes."""
    with spec.ValidationContext(perform_io_checks=False):
        description = spec.load_model_description(path, perform_io_checks=False)
        sample = core.digest_spec.create_sample_for_model(description, inputs=array)
        with core.create_prediction_pipeline(description, weight_format="torchscript") as pipeline:
            # as the software does for a package's own test
            found = pipeline.predict_sample_without_blocking(
                sample, skip_input_padding=True, skip_output_cropping=True
            )
    (member,) = found.members.values()
    return np.asarray(member.data.to_numpy())


def check(model: Model, array: np.ndarray, expected: np.ndarray) -> None:
    """Compare with all of ours; arrays are NC(Z)YX."""
    test = OwnTest(lambda: (array, expected), array.size, 1e-5, 1e-5)
    other = Model(replace(model.loaded, own_test=test), model.spatial_dims, model.in_channels)
    result = run_own_test(other)
    assert result.passed, result.message


@pytest.fixture(scope="module")
def mixes() -> bytes:
    return packages.script(Mixes())


def write(tmp_path: Path, whole: Yaml, weights: bytes, array: np.ndarray) -> Path:
    files = {"weights.pt": weights, "README.md": b"# about\n\n# Validation\n"}
    files |= {name: packages.npy(array) for name in ("test_in.npy", "test_out.npy")}
    for key, name in (("inputs", "test_in.npy"), ("outputs", "test_out.npy")):
        if whole["format_version"].startswith("0.5"):
            whole[key][0]["test_tensor"] = {"source": name}
    whole["timestamp"] = "2024-01-01T00:00:00"
    whole["documentation"] = "README.md"
    whole["description"] = "for tests"
    return packages.Package(tmp_path, weights)(whole, files, as_zip=False)


@pytest.mark.parametrize("pre", PRE_05, ids=str)
def test_preprocessing_of_05(tmp_path: Path, mixes: bytes, pre: list[Yaml]) -> None:
    array = image((2, 2, 16, 24))
    path = write(tmp_path, packages.description_05(pre, channels=2), mixes, array)
    expected = by_core(path, array)
    check(load_quietly(path), array, expected)


@pytest.mark.parametrize("post", POST_05, ids=str)
def test_postprocessing_of_05(tmp_path: Path, mixes: bytes, post: list[Yaml]) -> None:
    array = image((1, 2, 16, 24))
    pre = [op("zero_mean_unit_variance", axes=SPACE)]
    path = write(tmp_path, packages.description_05(pre, post, channels=2), mixes, array)
    expected = by_core(path, array)
    check(load_quietly(path), array, expected)


@pytest.mark.parametrize("pre", PRE_04, ids=str)
def test_preprocessing_of_04(tmp_path: Path, mixes: bytes, pre: list[Yaml]) -> None:
    array = image((1, 2, 16, 24))
    path = write(tmp_path, packages.description_04(pre, channels=2), mixes, array)
    expected = by_core(path, array)
    check(load_quietly(path), array, expected)


@pytest.mark.parametrize("post", POST_04, ids=str)
def test_postprocessing_of_04(tmp_path: Path, mixes: bytes, post: list[Yaml]) -> None:
    array = image((1, 2, 16, 24))
    path = write(tmp_path, packages.description_04([], post, channels=2), mixes, array)
    expected = by_core(path, array)
    check(load_quietly(path), array, expected)


def test_channels_last(tmp_path: Path) -> None:
    array = image((1, 16, 24, 2))
    pre = [op("scale_range", axes=SPACE, max_percentile=95)]
    whole = packages.description_05(pre, axes="byxc", channels=2)
    path = write(tmp_path, whole, packages.script(MixesLast()), array)
    expected = by_core(path, array)
    check(load_quietly(path), array.transpose(0, 3, 1, 2), expected.transpose(0, 3, 1, 2))


def load_quietly(path: Path) -> Model:
    with warnings.catch_warnings():
        # the packaged expected output is not the real one
        warnings.simplefilter("ignore")
        model = load_model(path)
    assert isinstance(model, Model)
    return model


def test_the_shared_package(pytestconfig: pytest.Config) -> None:
    shared = pytestconfig.rootpath.parent / "shared"
    folder = shared / "models" / "bioimageio_unet2d_nuclei_broad"
    if not folder.is_dir():
        pytest.skip("shared/models/bioimageio_unet2d_nuclei_broad is not here")
    array = np.load(folder / "test_input.npy")
    expected = by_core(folder / "bioimageio.yaml", array)
    check(load_quietly(folder), array, expected)
