from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from napari_tessera.models import ModelError, load_model
from napari_tessera.models.onnx import load_onnx, loading
from napari_tessera.models.sizes import ValidSizes

Make = Callable[..., Any]


def _assert_refused(path: Path, says: str) -> None:
    with pytest.raises(ModelError, match=f"^{path.name} cannot be loaded: .*{says}") as raised:
        load_onnx(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("dims", "size"), [(2, (40, 56)), (3, (8, 16, 24))])
def test_a_unet_gives_what_pytorch_gives(
    make_unet: Make, unet_model: Make, write: Make, dims: int, size: tuple[int, ...]
) -> None:
    network = make_unet(spatial_dims=dims, channels=2)
    loaded = load_onnx(write(unet_model(network)))
    assert (loaded.spatial_dims, loaded.in_channels, loaded.batch) == (dims, 2, None)
    assert (loaded.sizes, loaded.sizes_are_strict) == (None, False)
    image = torch.randn(3, 2, *size)
    with torch.no_grad():
        expected = network(image)
    torch.testing.assert_close(loaded.network(image), expected, rtol=1e-5, atol=1e-5)


def test_what_stands_in_the_plan(make_unet: Make, unet_model: Make, write: Make) -> None:
    path = write(unet_model(make_unet(), doc_string="trained on fish", model_version=3))
    loaded = load_onnx(path)
    assert (loaded.name, loaded.source, loaded.format) == ("net.onnx", str(path), "ONNX")
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.default_normalization == "time_point"
    assert loaded.parameters == sum(weight.numel() for weight in make_unet().parameters())
    about = loaded.about
    assert (about.title, about.description, about.version) == ("net", "trained on fish", "3")


def test_what_an_exporter_calls_any_graph_is_no_title(
    make_unet: Make, unet_model: Make, write: Make
) -> None:
    model = unet_model(make_unet())
    model.graph.name = "main_graph"
    loaded = load_onnx(write(model))
    assert (loaded.name, loaded.about.title) == ("net.onnx", None)


def test_notes_that_are_no_text_are_read_as_far_as_they_are(
    make_unet: Make, unet_model: Make, write: Make
) -> None:
    path = write(unet_model(make_unet(), doc_string="trained on fish"))
    path.write_bytes(path.read_bytes().replace(b"on fish", b"on \xff\xfesh"))
    assert "trained on" in (load_onnx(path).about.description or "")


def test_fixed_sizes_and_batches_are_read(make_unet: Make, unet_model: Make, write: Make) -> None:
    loaded = load_onnx(write(unet_model(make_unet(), (2, 1, 64, 96))))
    assert loaded.sizes == ValidSizes.fixed((64, 96))
    assert (loaded.sizes_are_strict, loaded.batch) == (True, 2)
    with pytest.raises(RuntimeError, match="Got: 32 Expected: 64"):
        loaded.network(torch.zeros(2, 1, 32, 96))
    loaded = load_onnx(write(unet_model(make_unet(), (1, 1, "y", 96))))
    assert loaded.sizes == ValidSizes((1, 96), (1, 0), (None, 96))


def test_a_model_that_does_not_say_its_shape(graph: Make, write: Make) -> None:
    made = graph()
    path = write(made.model(made.add("Relu", "image"), None))
    loaded = load_onnx(path)
    assert (loaded.spatial_dims, loaded.in_channels, loaded.sizes) == (None, None, None)
    model = load_model(path, device="cpu", spatial_dims=2)
    assert (model.spatial_dims, model.in_channels) == (2, None)


@pytest.mark.parametrize(
    ("elem_type", "given", "expected"),
    [
        (TensorProto.FLOAT16, [-1.5, 0.1, 300.4], [-1.5, np.float16(0.1), np.float16(300.4)]),
        (TensorProto.DOUBLE, [-1.5, 0.1, 300.4], [-1.5, 0.1, 300.4]),
        (TensorProto.UINT8, [-1.5, 0.6, 300.4], [0, 1, 255]),
        (TensorProto.INT16, [-1.5, 0.6, 40000], [-2, 1, 32767]),
    ],
)
def test_other_types_of_numbers(
    graph: Make, write: Make, elem_type: int, given: list[float], expected: list[float]
) -> None:
    made = graph(elem_type)
    network = load_onnx(write(made.model(made.add("Identity", "image")))).network
    answer = network(torch.tensor(given)[None, None, None])
    assert answer.dtype == torch.float32
    np.testing.assert_allclose(answer.ravel(), np.array(expected, np.float32))


def test_types_that_are_no_grey_levels_are_refused(graph: Make, write: Make) -> None:
    made = graph(TensorProto.STRING)
    _assert_refused(write(made.model(made.add("Identity", "image"))), "is of type string")


def test_other_axes_are_refused(graph: Make, write: Make) -> None:
    made = graph()
    path = write(made.model(made.add("Relu", "image"), (1, 64, 64)))
    _assert_refused(
        path, r"its input has 3 axes \(1×64×64\)\. Export it with the axes: samples, chan"
    )


@pytest.mark.parametrize("shape", [("n", "y", "x", 3), (2, 16, 24, 3)])
def test_channels_that_come_last(graph: Make, write: Make, shape: tuple[int | str, ...]) -> None:
    """TensorFlow's models have them there."""
    made = graph()
    scaled = made.add("Mul", "image", made.constant([1, 2, 3]))
    loaded = load_onnx(write(made.model(scaled, shape)))
    assert (loaded.spatial_dims, loaded.in_channels) == (2, 3)
    assert loaded.batch == (2 if shape[0] == 2 else None)
    assert loaded.sizes == (ValidSizes.fixed((16, 24)) if shape[1] == 16 else None)
    image = torch.randn(2, 3, 16, 24)
    factors = torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    assert torch.equal(loaded.network(image), image * factors)


def test_several_inputs_or_outputs_are_refused(graph: Make, write: Make) -> None:
    made = graph()
    model = made.model(made.add("Add", "image", "other"))
    model.graph.input.append(helper.make_tensor_value_info("other", 1, ("n", 1, "y", "x")))
    _assert_refused(write(model), "it takes 2 inputs and returns 1 output. Export a network that")
    made = graph()
    model = made.model(made.add("Relu", "image"))
    model.graph.output.append(helper.make_tensor_value_info("image", 1, None))
    _assert_refused(write(model), "it takes 1 input and returns 2 outputs")


def test_weights_listed_as_inputs_are_no_inputs(
    make_unet: Make, unet_model: Make, write: Make
) -> None:
    """Files of the format's first versions list them."""
    model = unet_model(make_unet())
    for weight in model.graph.initializer:
        entry = helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
        model.graph.input.append(entry)
    assert load_onnx(write(model)).in_channels == 1


def test_opsets_that_are_too_new_say_what_to_do(graph: Make, write: Make) -> None:
    made = graph()
    model = made.model(made.add("Relu", "image"), opset=99)
    _assert_refused(write(model), "opset.*Update onnxruntime")


@pytest.mark.parametrize("content", [b"", b"\x08\x07", b"no model", bytes(1000)])
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    _assert_refused(path, "it is (a damaged|no) ONNX file")


def test_a_graph_that_makes_no_sense(graph: Make, write: Make) -> None:
    made = graph()
    _assert_refused(write(made.model(made.add("Relu", "nothing"))), "ONNX Runtime refuses it")
    made = graph()
    _assert_refused(write(made.model(made.add("Conv", "image"))), "ONNX Runtime refuses it")


def test_without_onnx_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda name: None if name == "onnxruntime" else 1)
    (tmp_path / "net.onnx").touch()
    _assert_refused(tmp_path / "net.onnx", r"not installed\. Run: pip install napari-tessera\[onnx")


def test_too_large(graph: Make, write: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = graph()
    path = write(made.model(made.add("Relu", "image")))
    monkeypatch.setattr("napari_tessera.models.onnx.weights.MOST_BYTES", 10)
    _assert_refused(path, "more than 2")


def test_nothing_is_written_to_stderr(
    graph: Make, write: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    made = graph()
    path = write(made.model(made.add("Relu", "image"), out_shape=(1, 2, 3, 4)))
    network = load_onnx(path).network
    network(torch.zeros(1, 1, 8, 8))
    with pytest.raises(RuntimeError):
        network(torch.zeros(1, 2, 8, 8))
    captured = capfd.readouterr()
    assert captured.err + captured.out == ""


def test_through_load_model(make_unet: Make, unet_model: Make, write: Make) -> None:
    network = make_unet(norm=nn.Identity)
    model = load_model(write(unet_model(network)), device="cpu")
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model(image), network(image), rtol=1e-5, atol=1e-5)
    assert model.geometry.reach == (26, 26)
    assert model.geometry.period == (4, 4)


def test_a_broad_nuclei_unet_reproduces_its_reference(shared: Path) -> None:
    folder = shared / "models" / "bioimageio_unet2d_nuclei_broad"
    if not folder.is_dir():
        pytest.skip("shared/models/bioimageio_unet2d_nuclei_broad is not here")
    loaded = load_onnx(folder / "weights.onnx")
    assert (loaded.sizes, loaded.batch) == (ValidSizes.fixed((512, 512)), 1)
    image = torch.from_numpy(np.load(folder / "test_input.npy").astype(np.float32))
    expected = torch.from_numpy(np.load(folder / "test_output.npy"))
    mean = image.mean(dim=(2, 3), keepdim=True)
    std = image.std(dim=(2, 3), keepdim=True, correction=0)
    answer = torch.sigmoid(loaded.network((image - mean) / (std + 1e-6)))
    assert float((answer - expected).abs().max()) < 1e-5
