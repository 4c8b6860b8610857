from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from napari_tessera.models import ModelError, load_model
from napari_tessera.models.architectures import UNet, UNetSettings
from napari_tessera.models.bioimageio import load_package
from napari_tessera.models.sizes import ValidSizes

Make = dict[str, Callable[..., Any]]
Yaml = dict[str, Any]


def onnx_bytes(shape: list[Any], factor: float = 3.0, external: str | None = None) -> bytes:
    """A model that multiplies what it gets."""
    weight = numpy_helper.from_array(np.array(factor, np.float32), "factor")
    if external is not None:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        entry = weight.external_data.add()
        entry.key, entry.value = "location", external
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "factor"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


KEYWORDS: Yaml = {"conv_dims": 2, "depth": 2, "num_channels_init": 4, "final_activation": "None"}


def careamics(seed: int = 0) -> tuple[UNet, bytes]:
    torch.manual_seed(seed)
    network = UNet(UNetSettings.from_keywords(KEYWORDS)).eval()
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    return network, buffer.getvalue()


def state_dict(**architecture: Any) -> Yaml:
    known = {"import_from": "careamics.models.unet", "callable": "UNet", "kwargs": KEYWORDS}
    return {"source": "w.pth", "architecture": known | architecture, "pytorch_version": "2.5"}


def kind_of(path: Any) -> str:
    return load_package(path).format


def test_a_network_of_this_package_comes_first(package: Any, make: Make) -> None:
    network, content = careamics()
    weights = {"onnx": {"source": "w.onnx"}, "torchscript": {"source": "weights.pt"}}
    weights["pytorch_state_dict"] = state_dict()
    files = {"w.pth": content, "w.onnx": onnx_bytes(["n", 1, "y", "x"])}
    path = package(make["description_05"](weights=weights), files)
    found = load_package(path)
    assert found.format == "BioImage.IO 0.5 (PyTorch weights)"
    assert found.sizes == ValidSizes((4, 4), (4, 4), (None, None))
    assert found.sizes_are_strict
    image = torch.randn(2, 1, 32, 48)
    with torch.no_grad():
        torch.testing.assert_close(found.network(image), network(image), rtol=0, atol=0)
    older = {"source": "w.pth", "architecture": "careamics.models.unet.UNet", "kwargs": KEYWORDS}
    path = package(make["description_04"](weights={"pytorch_state_dict": older}), files)
    assert kind_of(path) == "BioImage.IO 0.4 (PyTorch weights)"


def test_the_next_kind_where_one_is_refused(package: Any, make: Make) -> None:
    weights = {
        "pytorch_state_dict": state_dict(source="net.py", import_from=None),
        "torchscript": {"source": "weights.pt"},
        "onnx": {"source": "w.onnx"},
    }
    files = {"w.pth": b"", "w.onnx": onnx_bytes(["n", 1, "y", "x"])}
    whole = make["description_05"](weights=weights)
    assert kind_of(package(whole, files)) == "BioImage.IO 0.5 (TorchScript)"
    weights["pytorch_state_dict"] = {"source": "../w.pth", "architecture": 3}
    assert kind_of(package(whole, files)) == "BioImage.IO 0.5 (TorchScript)"
    damaged = {"weights.pt": b"damaged"}
    assert kind_of(package(whole, files | damaged)) == "BioImage.IO 0.5 (ONNX)"


def test_weights_that_are_not_in_the_package_are_told_of(package: Any, make: Make) -> None:
    weights = {"torchscript": {"source": "weights.pt"}, "pytorch_state_dict": state_dict()}
    found = load_package(package(make["description_05"](weights=weights)))
    assert found.format == "BioImage.IO 0.5 (TorchScript)"
    (told,) = found.warnings
    assert told == "the package lacks w.pth (PyTorch weights): TorchScript is used instead"


def test_weights_on_a_server_are_left_there(
    package: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("nothing is fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    weights: Yaml = {
        "pytorch_state_dict": state_dict() | {"source": "https://x.invalid/w.pth"},
        "torchscript": {"source": "http://x.invalid/weights.pt"},
    }
    with_onnx = weights | {"onnx": {"source": "w.onnx"}}
    files = {"w.onnx": onnx_bytes(["n", 1, "y", "x"])}
    assert kind_of(package(make["description_05"](weights=with_onnx), files)).endswith("(ONNX)")
    with pytest.raises(ModelError, match=r"lie on a server.*Download the whole package"):
        load_model(package(make["description_05"](weights=weights)))


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({"torchscript": {"source": "gone.pt"}}, "'gone.pt' is not there.*Download the whole"),
        (
            {"keras_hdf5": {"source": "w.h5"}, "tensorflow_js": {"source": "w.zip"}},
            "Keras: this kind is not supported; TensorFlow.js: .*Ask its author",
        ),
        (
            {"pytorch_state_dict": state_dict(source="net.py", import_from=None)},
            "need the package's own source code.*never run.*bioimageio add-weights",
        ),
        (
            {"pytorch_state_dict": state_dict(import_from="monai.networks.nets")},
            "need the library of 'monai.networks.nets.UNet'",
        ),
        (
            {"pytorch_state_dict": state_dict(callable="Other")},
            "its architecture 'Other' is none that is known here",
        ),
        (
            {"pytorch_state_dict": state_dict(kwargs=KEYWORDS | {"depth": 3})},
            "PyTorch weights: [0-9]+ of its weights are missing",
        ),
        (
            {"pytorch_state_dict": state_dict(kwargs=KEYWORDS | {"depth": "deep"})},
            "its depth 'deep' is no integer",
        ),
        ({"torchscript": {"source": "w.pth"}}, "TorchScript: "),
        ({"onnx": {"source": "w.pth"}}, "ONNX: it is a damaged ONNX file"),
        ({"onnx": {}}, r"it has no weights\.onnx\.source"),
        ({"onnx": {"source": "../w.onnx"}}, "a path that leads out of the package"),
    ],
)
def test_weights_that_are_refused(package: Any, make: Make, weights: Yaml, says: str) -> None:
    path = package(make["description_05"](weights=weights), {"w.pth": careamics()[1]})
    with pytest.raises(ModelError, match=says) as raised:
        load_model(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {"final_conv.weight": "text"}},
        [torch.zeros(1)],
        {},
        torch.zeros(1),
        {1: torch.zeros(1)},
    ],
)
def test_files_that_hold_something_else_than_weights(
    package: Any, make: Make, content: object
) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    whole = make["description_05"](weights={"pytorch_state_dict": state_dict()})
    with pytest.raises(ModelError, match="PyTorch weights: there are no weights in it"):
        load_model(package(whole, {"w.pth": buffer.getvalue()}))


def test_onnx_of_other_axes(package: Any, make: Make) -> None:
    whole = make["description_05"](axes="yxc", weights={"onnx": {"source": "w.onnx"}})
    files = {"w.onnx": onnx_bytes([24, "x", 1])}
    found = load_package(package(whole, files))
    assert found.sizes == ValidSizes((24, 1), (0, 1), (24, None))
    assert found.sizes_are_strict
    assert found.batch == 1
    image = torch.randn(3, 1, 24, 32)
    torch.testing.assert_close(found.network(image), image * 3)
    with pytest.raises(ModelError, match=r"its input has 2 axes \(24×1\), not 3"):
        load_model(package(whole, {"w.onnx": onnx_bytes([24, 1])}))


def test_onnx_weights_in_a_file_beside_it(package: Any, make: Make) -> None:
    whole = make["description_05"](
        weights={"onnx": {"source": "sub/w.onnx", "external_data": {"source": "sub/w.data"}}}
    )
    files = {
        "sub/w.onnx": onnx_bytes(["n", 1, "y", "x"], external="w.data"),
        "sub/w.data": np.array(5, np.float32).tobytes(),
    }
    image = torch.randn(1, 1, 8, 8)
    for as_zip in (True, False):
        found = load_package(package(whole, files, as_zip=as_zip))
        torch.testing.assert_close(found.network(image), image * 5)
