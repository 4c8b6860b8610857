from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from napari_tessera.models import ModelError
from napari_tessera.models.onnx import load_onnx
from napari_tessera.models.onnx.operations import RefusedGraphError, check_extent
from napari_tessera.models.onnx.session import OnnxNetwork

Make = Callable[..., Any]

DOMAINS = [helper.make_opsetid("", 17), helper.make_opsetid("strange", 1)]


def _assert_refused(path: Path, says: str) -> None:
    with pytest.raises(ModelError, match=f"^net.onnx cannot be loaded: .*{says}") as raised:
        load_onnx(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("domain", "kind", "says"),
    [
        ("strange", "Evil", r"it needs the custom operation strange\.Evil\. Export it with stand"),
        ("com.microsoft", "EPContext", r"the custom operation com\.microsoft\.EPContext"),
        ("com.microsoft.extensions", "AzureAudioToText", "the custom operation com.microsoft.ext"),
        ("org.pytorch.aten", "ATen", "the custom operation org.pytorch.aten.ATen"),
        ("ai.onnx.ml", "TreeEnsemble", "the custom operation ai.onnx.ml.TreeEnsemble"),
        ("com.microsoft.nchwc", "Conv", "it was optimized for one machine .*before ONNX Runtime"),
    ],
)
def test_custom_operations(graph: Make, write: Make, domain: str, kind: str, says: str) -> None:
    made = graph()
    path = write(made.model(made.add(kind, "image", domain=domain)))
    _assert_refused(path, says)


def test_in_inner_graphs(graph: Make, write: Make) -> None:
    node = helper.make_node("Evil", ["image"], ["made"], domain="strange")
    for depth in range(3):
        output = helper.make_tensor_value_info("made", 1, None)
        inner = helper.make_graph([node], f"inner_{depth}", [], [output])
        node = helper.make_node("If", ["yes"], ["made"], then_branch=inner, else_branch=inner)
    made = graph()
    made.constant([1.0])
    made.nodes.append(node)
    _assert_refused(write(made.model("made")), r"custom operation strange\.Evil")


def test_an_attribute_that_hides_its_graph(graph: Make, write: Make) -> None:
    """An attribute says of what type it is, and may lie."""
    node = helper.make_node("Evil", ["image"], ["made"], domain="strange")
    made = graph()
    model = made.model(made.add("Relu", "image"))
    hidden = model.graph.node[0].attribute.add(name="a", type=onnx.AttributeProto.INT)
    hidden.g.CopyFrom(helper.make_graph([node], "inner", [], []))
    _assert_refused(write(model), r"custom operation strange\.Evil")


def _function(domain: str, name: str, inner_domain: str = "", kind: str = "Relu") -> Any:
    node = helper.make_node(kind, ["x"], ["y"], domain=inner_domain)
    return helper.make_function(domain, name, ["x"], ["y"], [node], DOMAINS)


def test_functions_of_the_model_itself(graph: Make, write: Make) -> None:
    made = graph()
    output = made.add("Rectify", "image", domain="strange")
    function = _function("strange", "Rectify")
    path = write(made.model(output, opset_imports=DOMAINS, functions=[function]))
    answer = load_onnx(path).network(torch.tensor([[[[-1.0, 2.0]]]]))
    assert answer.ravel().tolist() == [0, 2]
    evil = _function("strange", "Rectify", "strange", "Evil")
    _assert_refused(
        write(made.model(output, opset_imports=DOMAINS, functions=[evil])),
        r"custom operation strange\.Evil",
    )


@pytest.mark.parametrize("domain", ["", "ai.onnx", "com.microsoft"])
def test_functions_under_names_of_the_standard(graph: Make, write: Make, domain: str) -> None:
    made = graph()
    model = made.model(made.add("Relu", "image"), functions=[_function(domain, "EPContext")])
    _assert_refused(write(model), "it defines the operation .*EPContext anew")


def test_operations_of_onnx_runtimes_optimizer(
    make_unet: Make, unet_model: Make, write: Make, tmp_path: Path
) -> None:
    network = make_unet()
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "net.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 4
    onnxruntime.InferenceSession(
        unet_model(network).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    domains = {node.domain for node in onnx.load(tmp_path / "net.onnx").graph.node}
    assert domains == {"", "com.microsoft"}
    image = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        answer = load_onnx(tmp_path / "net.onnx").network(image)
        torch.testing.assert_close(answer, network(image), rtol=1e-5, atol=1e-5)


def test_what_was_not_checked_does_not_go_on(
    graph: Make, write: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    real = onnxruntime.InferenceSession

    def make(content: bytes, *settings: Any, **more: Any) -> Any:
        seen.append(content)
        return real(content, *settings, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", make)
    made = graph()
    model = made.model(made.add("Relu", "image"))
    model.metadata_props.add(key="ort_config", value='{"session_options": {}}')
    path = write(model)
    # a field that the format does not have
    path.write_bytes(path.read_bytes() + b"\xfa\x3f\x04evil")
    assert load_onnx(path).in_channels == 1
    assert len(seen) == 1
    assert b"evil" not in seen[0]
    assert b"ort_config" not in seen[0]


def _with_a_default(branch: Any) -> Any:
    """A function that runs a graph which is the default of its argument."""
    choice = helper.make_node("If", ["yes"], ["y"])
    for name in ("then_branch", "else_branch"):
        choice.attribute.add(name=name, ref_attr_name="branch", type=onnx.AttributeProto.GRAPH)
    yes = helper.make_tensor("yes", onnx.TensorProto.BOOL, [], [True])
    nodes = [helper.make_node("Constant", [], ["yes"], value=yes), choice]
    function = helper.make_function("strange", "Chosen", ["x"], ["y"], nodes, DOMAINS)
    function.attribute_proto.append(helper.make_attribute("branch", branch))
    return function


def test_graphs_in_defaults_of_functions(graph: Make, write: Make) -> None:
    made = graph()
    output = made.add("Chosen", "image", domain="strange")
    result = helper.make_tensor_value_info("r", 1, None)
    node = helper.make_node("Inverse", ["x"], ["r"], domain="com.microsoft")
    function = _with_a_default(helper.make_graph([node], "branch", [], [result]))
    path = write(made.model(output, opset_imports=DOMAINS, functions=[function]))
    _assert_refused(path, r"needs the custom operation com\.microsoft\.Inverse")


def test_weights_in_defaults_of_functions(
    graph: Make, write: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime would read them from the folder in which it runs."""
    made = graph()
    output = made.add("Chosen", "image", domain="strange")
    result = helper.make_tensor_value_info("r", 1, None)
    weight = onnx.TensorProto(name="w", dims=[1], data_type=1)
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="secret.bin")
    node = helper.make_node("Add", ["x", "w"], ["r"])
    function = _with_a_default(helper.make_graph([node], "branch", [], [result], [weight]))
    model = made.model(output, opset_imports=DOMAINS, functions=[function])
    path = tmp_path / "models" / "net.onnx"
    path.parent.mkdir()
    path.write_bytes(model.SerializeToString())
    (tmp_path / "secret.bin").write_bytes(b"\0\0\x28\x42")
    monkeypatch.chdir(tmp_path)
    _assert_refused(path, r"its weights 'secret\.bin' are missing")


def test_names_of_operations_are_shown_in_one_line(graph: Make, write: Make) -> None:
    made = graph()
    path = write(made.model(made.add("Ev\nil\x1b[31m", "image", domain="bad\nd")))
    _assert_refused(path, r"custom operation 'bad\\nd\.Ev\\nil\\x1b\[31m'")


def _with_functions(*bodies: list[str]) -> onnx.ModelProto:
    """A model that calls the first of some functions, each a list of the functions it calls."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = []
    for number, body in enumerate(bodies):
        names = ["a", *(f"t{at}" for at in range(len(body) - 1)), "b"]
        nodes = [
            helper.make_node(
                kind, [names[at]], [names[at + 1]], domain="own" if kind.startswith("F") else ""
            )
            for at, kind in enumerate(body)
        ]
        functions.append(helper.make_function("own", f"F{number}", ["a"], ["b"], nodes, opsets))
    image = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 1, "y", "x"])
        for name in "ab"
    ]
    graph = helper.make_graph(
        [helper.make_node("F0", ["a"], ["b"], domain="own")], "g", image[:1], image[1:]
    )
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=9)


def test_functions_that_double_24_times_are_refused_before_anything_is_written_out() -> None:
    doubling = [[f"F{number + 1}"] * 2 for number in range(24)]
    model = _with_functions(*doubling, ["Relu"])
    assert len(model.SerializeToString()) < 2500
    with pytest.raises(RefusedGraphError, match="grow to more than 200,000 operations"):
        check_extent(model)


def test_functions_that_call_themselves_are_refused() -> None:
    with pytest.raises(RefusedGraphError, match=r"its function own\.F0 calls itself"):
        check_extent(_with_functions(["F0"]))
    with pytest.raises(RefusedGraphError, match=r"its function own\.F1 calls itself"):
        check_extent(_with_functions(["Relu"], ["F2"], ["F1"]))


def test_a_long_chain_of_functions_is_refused_and_a_few_are_not() -> None:
    chain = [[f"F{number + 1}"] for number in range(40)]
    with pytest.raises(RefusedGraphError, match="more than 32 deep"):
        check_extent(_with_functions(*chain, ["Relu"]))
    check_extent(_with_functions(["F1", "F1"], ["Relu", "Neg"]))


@pytest.mark.skipif(
    tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 27),
    reason="older versions of ONNX Runtime crash at what is refused before they see it",
)
def test_what_onnx_runtime_says_of_them_names_no_source_file() -> None:
    with pytest.raises(RuntimeError, match="recursive") as raised:
        OnnxNetwork(_with_functions(["F0"]).SerializeToString(), "a")
    assert ".cc:" not in str(raised.value)
    assert "onnxruntime::" not in str(raised.value)
