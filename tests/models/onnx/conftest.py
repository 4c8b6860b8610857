"""ONNX models, written node by node, so that no exporter is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from torch import nn

Size = int | str | None


class Graph:
    """A graph under construction: each method adds nodes and returns the name of their output."""

    def __init__(self, elem_type: int = TensorProto.FLOAT) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.elem_type = elem_type

    def add(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], domain=domain, **attributes))
        return name

    def constant(self, values: Any, dtype: Any = None) -> str:
        name = f"weight_{len(self.weights)}"
        dtype = dtype or helper.tensor_dtype_to_np_dtype(self.elem_type)
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def layers(self, given: str, module: nn.Module) -> str:
        for layer in module:
            match layer:
                case nn.Conv2d() | nn.Conv3d():
                    given = self.convolution(given, layer)
                case nn.ReLU():
                    given = self.add("Relu", given)
        return given

    def convolution(self, given: str, layer: nn.Module) -> str:
        weight, bias = (self.constant(p.detach().numpy()) for p in (layer.weight, layer.bias))
        dims = layer.weight.ndim - 2
        pads = list(layer.padding) * 2
        return self.add(
            "Conv", given, weight, bias, kernel_shape=list(layer.kernel_size[:dims]), pads=pads
        )

    def pool(self, given: str, dims: int) -> str:
        return self.add("MaxPool", given, kernel_shape=[2] * dims, strides=[2] * dims)

    def up(self, given: str, dims: int) -> str:
        scales = self.constant([1, 1] + [2] * dims, np.float32)
        return self.add(
            "Resize", given, "", scales, mode="linear", coordinate_transformation_mode="half_pixel"
        )

    def model(
        self,
        output: str,
        shape: Sequence[Size] | None = ("n", 1, "y", "x"),
        *,
        out_shape: Sequence[Size] | None = None,
        out_type: int | None = None,
        opset: int = 17,
        **settings: Any,
    ) -> onnx.ModelProto:
        out_type = out_type or self.elem_type
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("image", self.elem_type, shape)],
            [helper.make_tensor_value_info(output, out_type, out_shape)],
            self.weights,
        )
        settings.setdefault("opset_imports", [helper.make_opsetid("", opset)])
        return helper.make_model(graph, ir_version=8, **settings)


@pytest.fixture
def graph() -> Callable[..., Graph]:
    return Graph


@pytest.fixture
def unet_model() -> Callable[..., onnx.ModelProto]:
    """Write the tests' U-Net as ONNX."""

    def make(net: nn.Module, shape: Sequence[Size] | None = None, **settings: Any) -> Any:
        dims = net.last.weight.ndim - 2
        graph = Graph()
        first = graph.layers("image", net.first)
        second = graph.layers(graph.pool(first, dims), net.second)
        bottom = graph.layers(graph.pool(second, dims), net.bottom)
        joined = graph.add("Concat", graph.up(bottom, dims), second, axis=1)
        second = graph.layers(joined, net.up_second)
        joined = graph.add("Concat", graph.up(second, dims), first, axis=1)
        last = graph.convolution(graph.layers(joined, net.up_first), net.last)
        shape = shape or ("n", net.last.weight.shape[0], *"zyx"[3 - dims :])
        return graph.model(last, shape, **settings)

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def to_file(model: onnx.ModelProto, name: str = "net.onnx", **settings: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path, **settings)
        return path

    return to_file
