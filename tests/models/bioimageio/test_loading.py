from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models import ModelError, load_model
from napari_tessera.models.bioimageio import load_package
from napari_tessera.models.model import Model
from napari_tessera.models.own_test import run_own_test
from napari_tessera.models.processing import Binarize, Inverse, Processing, Standardize
from napari_tessera.models.sizes import ValidSizes

Make = dict[str, Callable[..., Any]]


def op(name: str, **kwargs: Any) -> dict[str, Any]:
    return {"id": name, "kwargs": kwargs}


def old(name: str, **kwargs: Any) -> dict[str, Any]:
    return {"name": name, "kwargs": kwargs}


def with_tests(make: Make, whole: dict[str, Any], x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Put test tensors into a description, and return their files."""
    files = {"test_in.npy": make["npy"](x), "test_out.npy": make["npy"](y)}
    if whole["format_version"].startswith("0.5"):
        for key, name in (("inputs", "test_in.npy"), ("outputs", "test_out.npy")):
            sha256 = make["sha256"](files[name])
            whole[key][0]["test_tensor"] = {"source": name, "sha256": sha256}
    return files


IMAGE = np.random.default_rng(0).gamma(2, 20, (2, 2, 16, 24)).astype(np.float32)
AXES = (2, 3)


def standardized(x: np.ndarray, axes: Any, eps: float = 1e-6) -> np.ndarray:
    x = x.astype(np.float64)
    return (x - x.mean(axes, keepdims=True)) / (x.std(axes, keepdims=True) + eps)


def rescaled(x: np.ndarray, axes: Any, low: float, high: float) -> np.ndarray:
    ends = np.percentile(x.astype(np.float64), [low, high], axis=axes, keepdims=True)
    return (x - ends[0]) / (ends[1] - ends[0] + 1e-6)


SPACE = ["y", "x"]

FORMULAS: list[tuple[list[Any], list[Any], Callable[[np.ndarray], np.ndarray]]] = [
    ([op("zero_mean_unit_variance", axes=SPACE)], [], lambda x: standardized(x, AXES)),
    (
        [op("zero_mean_unit_variance", axes=["channel", *SPACE])],
        [],
        lambda x: standardized(x, (1, 2, 3)),
    ),
    (
        [op("zero_mean_unit_variance", axes=["batch", *SPACE], eps=0.1)],
        [],
        lambda x: standardized(x, (0, 2, 3), 0.1),
    ),
    ([op("zero_mean_unit_variance")], [], lambda x: standardized(x, None)),
    (
        [op("scale_range", axes=SPACE, min_percentile=2, max_percentile=98)],
        [op("clip", min=0.1, max=0.9)],
        lambda x: rescaled(x, AXES, 2, 98).clip(0.1, 0.9),
    ),
    (
        [op("scale_linear", axis="channel", gain=[0.5, 2], offset=[1, -1])],
        [op("sigmoid"), op("binarize", threshold=0.75)],
        lambda x: 1.0 * (1 / (1 + np.exp(-(x * [[[0.5]], [[2]]] + [[[1.0]], [[-1.0]]]))) > 0.75),
    ),
    (
        [op("fixed_zero_mean_unit_variance", mean=40, std=20)],
        [op("softmax")],
        lambda x: np.exp((x - 40) / 20) / np.exp((x - 40) / 20).sum(1, keepdims=True),
    ),
    (
        [],
        [op("scale_mean_variance", reference_tensor="raw", axes=SPACE)],
        lambda x: x,
    ),
    (
        [op("scale_linear", gain=-0.01)],
        [op("zero_mean_unit_variance", axes=SPACE), op("scale_range", axes=SPACE)],
        lambda x: rescaled(standardized(-x, AXES), AXES, 0, 100),
    ),
    (
        [op("ensure_dtype", dtype="float32"), op("clip", min_percentile=5, axes=SPACE)],
        [op("ensure_dtype", dtype="uint8")],
        lambda x: np.floor(np.maximum(x, np.percentile(x, 5, AXES, keepdims=True))).clip(0, 255),
    ),
]


@pytest.mark.parametrize(("pre", "post", "formula"), FORMULAS)
@pytest.mark.parametrize("as_zip", [True, False])
def test_processing_is_the_formats(
    package: Any, make: Make, pre: Any, post: Any, formula: Any, as_zip: bool
) -> None:
    whole = make["description_05"](pre, post, channels=2)
    files = with_tests(make, whole, IMAGE, formula(IMAGE).astype(np.float32))
    model = load_model(package(whole, files, as_zip=as_zip))
    result = run_own_test(model)
    assert result.passed, result.message
    assert result.max_difference < 1e-4
    assert model.loaded.format == "BioImage.IO 0.5 (TorchScript)"
    assert model.default_normalization == "model"


OLD_FORMULAS: list[tuple[list[Any], list[Any], Callable[[np.ndarray], np.ndarray]]] = [
    (
        [old("zero_mean_unit_variance", mode="per_sample", axes="yx")],
        [old("scale_range", mode="per_sample", axes="yx", max_percentile=99.0)],
        lambda x: rescaled(standardized(x, AXES), AXES, 0, 99),
    ),
    (
        [old("zero_mean_unit_variance", mode="per_dataset", axes="cyx")],
        [],
        lambda x: standardized(x, None),
    ),
    (
        [old("zero_mean_unit_variance", mode="fixed", axes="yx", mean=[1, 2], std=[3, 4])],
        [],
        lambda x: (x - [[[1]], [[2]]]) / [[[3]], [[4]]],
    ),
    (
        [old("scale_range", mode="per_sample", axes="cyx", min_percentile=1.0)],
        [old("scale_linear", gain=255.0, offset=3.0)],
        lambda x: rescaled(x, (1, 2, 3), 1, 100) * 255 + 3,
    ),
]


@pytest.mark.parametrize(("pre", "post", "formula"), OLD_FORMULAS)
def test_processing_is_the_older_formats(
    package: Any, make: Make, pre: Any, post: Any, formula: Any
) -> None:
    whole = make["description_04"](pre, post, channels=2)
    files = with_tests(make, whole, IMAGE, formula(IMAGE).astype(np.float32))
    model = load_model(package(whole, files, prefix="an older model/"))
    result = run_own_test(model)
    assert result.passed, result.message
    assert model.loaded.format == "BioImage.IO 0.4 (TorchScript)"
    assert model.loaded.sizes == ValidSizes((16, 16), (8, 8), (None, None))


class LastAxisMean(nn.Module):
    """Averages with the neighbour to the left, of tensors BYXC."""

    def forward(self, x: Tensor) -> Tensor:
        return (x + torch.roll(x, 1, 2)) / 2


class Planes(nn.Module):
    """Adds to each plane of ZYX its number."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.arange(x.shape[0])[:, None, None]


@pytest.mark.parametrize(
    ("axes", "network", "shape", "formula"),
    [
        ("byxc", LastAxisMean(), (1, 8, 12, 1), lambda x: (x + np.roll(x, 1, 2)) / 2),
        ("zyx", Planes(), (4, 8, 8), lambda x: x + np.arange(4)[:, None, None]),
    ],
)
def test_other_orders_of_axes(
    package: Any, make: Make, axes: str, network: nn.Module, shape: Any, formula: Any
) -> None:
    image = np.random.default_rng(1).normal(10, 3, shape).astype(np.float32)
    whole = make["description_05"](axes=axes)
    files = with_tests(make, whole, image, formula(image))
    files["weights.pt"] = make["script"](network)
    model = load_model(package(whole, files))
    assert model.spatial_dims == (3 if "z" in axes else 2)
    assert model.in_channels == 1
    assert run_own_test(model).max_difference < 1e-5
    tile = torch.zeros(2, 1, *(4, 8, 8)[-model.spatial_dims :])
    assert model(tile).shape == tile.shape


def test_what_a_network_of_whole_numbers_gets(package: Any, make: Make) -> None:
    class Halves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.div(x, 2, rounding_mode="floor")

    whole = make["description_05"](
        [
            op("scale_linear", gain=2.0),
            op("clip", min=0, max=255),
            op("ensure_dtype", dtype="uint8"),
        ]
    )
    image = np.linspace(0, 200, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    expected = np.floor(np.floor((image * 2).clip(0, 255)) / 2)
    files = with_tests(make, whole, image, expected.astype(np.float32))
    files["weights.pt"] = make["script"](Halves())
    assert run_own_test(load_model(package(whole, files))).max_difference == 0.0


def test_the_description_may_be_chosen_itself(package: Any, make: Make) -> None:
    path = package(make["description_05"](), as_zip=False, rdf="bioimageio.yaml")
    by_folder, by_file = load_package(path), load_package(path / "bioimageio.yaml")
    assert by_folder.name == by_file.name == path.name
    assert by_folder.sha256 == by_file.sha256
    assert by_folder.source != by_file.source
    zipped = load_package(package(make["description_05"]()))
    assert zipped.sha256 == by_folder.sha256
    other = load_package(package(make["description_05"]([op("sigmoid")])))
    assert other.sha256 != zipped.sha256


def test_what_the_file_declares(package: Any, make: Make) -> None:
    whole = make["description_05"]()
    whole["inputs"][0]["axes"][0]["size"] = 1
    whole["inputs"][0]["axes"][2]["size"] = 64
    found = load_package(package(whole))
    assert found.sizes == ValidSizes((64, 4), (0, 4), (64, None))
    assert not found.sizes_are_strict
    assert found.batch == 1
    assert load_package(package(make["description_05"]())).batch is None
    assert found.processing == Processing()
    assert found.own_test is None
    assert found.warnings == ()
    any_channels = make["description_04"]()
    any_channels["inputs"][0]["shape"]["step"][1] = 1
    found = load_package(package(any_channels))
    assert found.in_channels is None
    assert found.any_channels


def test_casts_that_the_format_implies(package: Any, make: Make) -> None:
    whole = make["description_05"](
        [op("ensure_dtype", dtype="uint8"), op("zero_mean_unit_variance", axes=SPACE)],
        [op("sigmoid"), op("binarize", threshold=0.5)],
    )
    whole["outputs"][0]["data"] = {"type": "uint8", "values": [0, 1]}
    processing = load_package(package(whole)).processing
    assert processing is not None
    # a cast at the very beginning tells the type of images, and takes nothing from others
    assert processing.before == (Standardize(),)
    assert processing.after[-1] == Binarize((0.5,))
    plain = make["description_05"]()
    plain["inputs"][0]["data"] = plain["outputs"][0]["data"] = {"type": "uint8"}
    processing = load_package(package(plain)).processing
    assert [str(step) for step in processing.before] == ["EnsureDtype(dtype='uint8')"]
    assert processing.before == processing.after


def test_an_inverse_is_known_as_one(package: Any, make: Make) -> None:
    scale = 30.0 + 1e-6
    whole = make["description_05"](
        [op("fixed_zero_mean_unit_variance", axis="channel", mean=[20.0], std=[30.0])],
        [
            op(
                "fixed_zero_mean_unit_variance",
                axis="channel",
                mean=[-20 / scale],
                std=[1 / scale],
            )
        ],
    )
    processing = load_package(package(whole)).processing
    assert isinstance(processing.after[0], Inverse)


@pytest.mark.parametrize(
    ("pre", "post", "says"),
    [
        (
            [op("clip", min=0), op("zero_mean_unit_variance", axes=SPACE)],
            [],
            "measures the image after another operation has changed it: the mean is not known",
        ),
        (
            [
                op("scale_linear", axis="channel", gain=[1, 2]),
                op("scale_range", axes=["channel", *SPACE]),
            ],
            [],
            "the quantile 0 of all channels is not known",
        ),
        ([], [op("custom", source="x.py")], "Python code of its own"),
    ],
)
def test_processing_that_cannot_be_done(
    package: Any, make: Make, pre: Any, post: Any, says: str
) -> None:
    path = package(make["description_05"](pre, post, channels=2))
    with pytest.raises(ModelError, match=says) as raised:
        load_model(path)
    assert str(raised.value).startswith(f"{path.name} cannot be loaded: ")
    assert "\n" not in str(raised.value)


def test_matching_other_channels_one_by_one(package: Any, make: Make) -> None:
    whole = make["description_05"]([], [op("scale_range", axes=SPACE, reference_tensor="raw")])
    whole["outputs"][0]["axes"] = make["output_axes_05"]("bcyx", 2)
    with pytest.raises(ModelError, match="matches 2 channels to the image's 1, one by one"):
        load_model(package(whole))


def test_changed_files_are_named(package: Any, make: Make, same: bytes) -> None:
    whole = make["description_05"]()
    files = with_tests(make, whole, IMAGE[:1, :1], IMAGE[:1, :1])
    whole["weights"]["torchscript"]["sha256"] = make["sha256"](same)
    assert load_package(package(whole, files)).warnings == ()
    whole["weights"]["torchscript"]["sha256"] = "0" * 64
    whole["outputs"][0]["test_tensor"]["sha256"] = "1" * 64
    (weights, tensor) = load_package(package(whole, files)).warnings
    assert weights.startswith("weights.pt is not the file that the package was made with")
    assert tensor.startswith("test_out.npy is not the file")


def test_test_tensors_that_cannot_be_read(package: Any, make: Make) -> None:
    whole = make["description_05"]()
    files = with_tests(make, whole, IMAGE, IMAGE)
    for bad in (b"no array", make["npy"](IMAGE)[:-4]):
        found = load_package(package(whole, files | {"test_in.npy": bad}))
        assert found.own_test is None
        assert "own test cannot be run: its test tensor 'test_in.npy'" in found.warnings[0]
    path = package(whole, files, as_zip=False)
    found = load_model(path)
    (path / "test_out.npy").write_bytes(b"changed since")
    with pytest.raises(ModelError, match=r"cannot be used: its test tensor 'test_out\.npy'"):
        run_own_test(found)


def loaded_only(path: Path) -> Model:
    """The model without the test that `load_model` runs at once."""
    loaded = load_package(path)
    assert loaded.spatial_dims is not None
    return Model(loaded, loaded.spatial_dims, loaded.in_channels)


def test_the_shared_packages(shared: Path) -> None:
    folder = shared / "models" / "bioimageio_unet2d_nuclei_broad"
    if not folder.is_dir():
        pytest.skip("shared/models/bioimageio_unet2d_nuclei_broad is not here")
    model = loaded_only(folder)
    assert model.loaded.format == "BioImage.IO 0.5 (TorchScript)"
    assert model.loaded.processing.before == (Standardize(),)
    assert model.loaded.about.licence == "MIT"
    assert run_own_test(model).max_difference < 3e-6


def test_the_shared_package_by_onnx(shared: Path, package: Any) -> None:
    folder = shared / "models" / "bioimageio_unet2d_nuclei_broad"
    if not folder.is_dir():
        pytest.skip("shared/models/bioimageio_unet2d_nuclei_broad is not here")
    names = ("weights.onnx", "test_input.npy", "test_output.npy")
    files = {name: (folder / name).read_bytes() for name in names}
    description = (folder / "bioimageio.yaml").read_bytes()
    path = package(description, files | {"weights.pt": b"damaged"})
    model = loaded_only(path)
    assert model.loaded.format == "BioImage.IO 0.5 (ONNX)"
    assert run_own_test(model).max_difference < 3e-6


def test_the_shared_exports_of_careamics(shared: Path) -> None:
    good = shared / "models" / "careamics_n2v_2d" / "n2v2d_fmd_fish_bmz.zip"
    if not good.is_file():
        pytest.skip("shared/models/careamics_n2v_2d is not here")
    result = run_own_test(loaded_only(good))
    assert result.passed
    assert result.max_difference < 1e-3


def test_a_package_that_fails_its_own_test(shared: Path) -> None:
    bad = shared / "models" / "bioimageio_bad_package" / "care2d_fmd_bmz.zip"
    if not bad.is_file():
        pytest.skip("shared/models/bioimageio_bad_package is not here")
    with pytest.warns(UserWarning, match=r"the package's own test fails by 23\.7"):
        load_model(bad)
    result = run_own_test(loaded_only(bad))
    assert not result.passed
    assert result.max_difference == pytest.approx(23.7, abs=0.05)
    assert result.message.startswith(
        "the package's own test fails by 23.7 (at most 0.01 plus 1 % of the value is allowed"
    )
