"""Edited programs that make ``torch.export.load``, or running what it gives, run other code.

Most tests first show that the file does what it is made for, so that none of them passes because
the attack has stopped working. Four are of places where a file's words go into Python code or are
looked up below ``torch``, and PyTorch 2.13 happens to stop in time: these are marked.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_tessera.models import ModelError, load_model

Make = Callable[..., Path]
Harmful = tuple[Path, bytes]

MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
INPUTS = "data/sample_inputs/model.pt"

IMAGE = torch.ones(1, 1, 16, 16)


def _load_unchecked(path: Path) -> None:
    """Load and run a program as PyTorch does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.export.load(path).module()(IMAGE)
        except Exception:
            # most of them fail afterwards: what they did by then is what counts
            return


def _assert_dangerous(path: Path, target: Path) -> None:
    _load_unchecked(path)
    assert target.exists(), "the file is no longer dangerous: the test proves nothing"
    target.rmdir()


def _assert_refused(path: Path, target: Path, says: str, *, works: bool = True) -> None:
    if works:
        _assert_dangerous(path, target)
    with pytest.raises(ModelError, match=f"^{path.name} cannot be loaded: .*{says}") as raised:
        load_model(path, device="cpu")(IMAGE)
    assert "\n" not in str(raised.value)
    assert not target.exists()


def _assert_harmless(path: Path, target: Path, original: Path, *, works: bool = True) -> None:
    if works:
        _assert_dangerous(path, target)
    expected = load_model(original, device="cpu")(IMAGE)
    assert torch.equal(load_model(path, device="cpu")(IMAGE), expected)
    assert not target.exists()


def _code(target: Path) -> str:
    return f"__import__('os').mkdir({str(target)!r})"


def test_a_pickled_weight(edit: Make, harmful: Harmful) -> None:
    target, pickled = harmful

    def change(config: Any) -> None:
        config["config"]["0.weight"]["use_pickle"] = True

    path = edit({WEIGHTS: change, "data/weights/weight_0": pickled})
    _assert_refused(path, target, "its weight 0.weight is pickled, and pickles can run anything")


def test_example_inputs(edit: Make, harmful: Harmful, small_program: Path) -> None:
    target, pickled = harmful
    _assert_harmless(edit({INPUTS: pickled}), target, small_program)


@pytest.mark.parametrize("record", ["opaque_obj_0", "tensor_0"])
def test_pickled_constants(edit: Make, harmful: Harmful, record: str) -> None:
    target, pickled = harmful
    entry = {"path_name": record, "is_param": False, "use_pickle": True, "tensor_meta": None}

    def change(config: Any) -> None:
        config["config"]["constant"] = entry

    path = edit({CONSTANTS: change, f"data/constants/{record}": pickled})
    _assert_refused(path, target, "its weight constant is pickled")


def test_an_opaque_constant_that_does_not_say_so(edit: Make, harmful: Harmful) -> None:
    target, pickled = harmful
    entry = {
        "path_name": "opaque_obj_0",
        "is_param": False,
        "use_pickle": False,
        "tensor_meta": {
            "dtype": 7,
            "sizes": [],
            "requires_grad": False,
            "device": {"type": "cpu", "index": None},
            "strides": [],
            "storage_offset": {"as_int": 0},
            "layout": 7,
        },
    }

    def change(config: Any) -> None:
        config["config"]["constant"] = entry

    pickled += bytes(-len(pickled) % 4)
    path = edit({CONSTANTS: change, "data/constants/opaque_obj_0": pickled})
    _assert_refused(path, target, r"an object of a custom class \(opaque_obj_0\)")


@pytest.mark.parametrize("folder", ["weights", "constants"])
def test_the_legacy_layout(edit: Make, harmful: Harmful, folder: str) -> None:
    target, pickled = harmful
    path = edit({f"data/{folder}/model.pt": pickled})
    _assert_refused(path, target, "written by an older PyTorch, as pickles. Export it again with")


@pytest.mark.parametrize(
    "place", ["input's size", "stride", "symbol", "inner tensor", "storage offset"]
)
def test_expressions(edit: Make, harmful: Harmful, place: str) -> None:
    target, _ = harmful
    expression = {"as_expr": {"expr_str": _code(target), "hint": {"as_int": 16}}}

    def change(program: Any) -> None:
        graph = program["graph_module"]["graph"]
        values = graph["tensor_values"]
        image = graph["inputs"][-1]["as_tensor"]["name"]
        match place:
            case "input's size":
                values[image]["sizes"][2] = expression
            case "stride":
                values[image]["strides"][0] = expression
            case "symbol":
                graph["sym_int_values"]["s"] = expression
                graph["inputs"].append({"as_sym_int": {"as_name": "s"}})
            case "inner tensor":
                values["relu"]["sizes"][0] = expression
            case "storage offset":
                values["relu"]["storage_offset"] = expression
                values["relu"]["sizes"][0] = expression

    path = edit({MODEL: change})
    _assert_refused(path, target, "which is no expression of sizes")


def test_functions_by_their_name(edit: Make, harmful: Harmful) -> None:
    target, _ = harmful

    def change(program: Any) -> None:
        nodes = program["graph_module"]["graph"]["nodes"]
        given = {"name": "path", "arg": {"as_string": str(target)}, "kind": 1}
        call = {"target": "torch.serialization.os.mkdir", "inputs": [given], "outputs": []}
        nodes.insert(0, {**nodes[0], **call, "name": "made"})

    path = edit({MODEL: change})
    says = "it calls 'torch.serialization.os.mkdir', which is no operation"
    _assert_refused(path, target, says, works=False)


def test_names_that_are_code(edit: Make, harmful: Harmful) -> None:
    """PyTorch writes Python code with the names of a program's values in it."""
    target, _ = harmful

    def change(program: Any) -> Any:
        image = program["graph_module"]["graph"]["inputs"][-1]["as_tensor"]["name"]
        evil = f"{image}[{_code(target)}]"
        return json.loads(json.dumps(program).replace('"relu"', json.dumps(evil)))

    says = "where a name should stand it has"
    _assert_refused(edit({MODEL: change}), target, says, works=False)


def test_argument_names_that_are_code(edit: Make, harmful: Harmful, small_program: Path) -> None:
    target, _ = harmful

    def change(program: Any) -> None:
        signature = program["graph_module"]["module_call_graph"][0]["signature"]
        signature["forward_arg_names"] = [f"x={_code(target)}"]

    _assert_harmless(edit({MODEL: change}), target, small_program, works=False)


def test_guards(edit: Make, harmful: Harmful, small_program: Path) -> None:
    target, _ = harmful

    def change(program: Any) -> None:
        program["guards_code"] = [f"L['input'].size()[0] == 1 and not {_code(target)}"]

    _assert_harmless(edit({MODEL: change}), target, small_program)


def test_weights_named_after_code(edit: Make, harmful: Harmful, small_program: Path) -> None:
    target, _ = harmful
    evil = f'0.a"), {_code(target)}, ("'

    def change(given: Any) -> Any:
        return json.loads(json.dumps(given).replace('"0.weight"', json.dumps(evil)))

    path = edit({MODEL: change, WEIGHTS: change})
    _assert_harmless(path, target, small_program, works=False)


def test_a_file_is_mapped(edit: Make, harmful: Harmful) -> None:
    target, _ = harmful

    def change(program: Any) -> None:
        nodes = program["graph_module"]["graph"]["nodes"]
        inputs = [
            {"name": "filename", "arg": {"as_string": str(target)}, "kind": 1},
            {"name": "shared", "arg": {"as_bool": True}, "kind": 1},
            {"name": "size", "arg": {"as_int": 4}, "kind": 1},
        ]
        outputs = [{"as_tensor": {"name": "mapped"}}]
        call = {"target": "torch.ops.aten.from_file.default", "inputs": inputs, "outputs": outputs}
        nodes.insert(0, {**nodes[0], **call, "name": "mapped"})
        values = program["graph_module"]["graph"]["tensor_values"]
        values["mapped"] = {
            **values["relu"],
            "sizes": [{"as_int": 4}],
            "strides": [{"as_int": 1}],
        }

    path = edit({MODEL: change})
    _load_unchecked(path)
    assert target.exists(), "the file is no longer dangerous: the test proves nothing"
    target.unlink()
    with pytest.raises(ModelError, match=r"it uses the operation aten\.from_file"):
        load_model(path)
    assert not target.exists()


def test_compiled_code(edit: Make) -> None:
    path = edit({"data/aotinductor/model/net.so": b"\x7fELF"})
    with pytest.raises(ModelError, match=r"compiled for one machine \(AOTInductor\)"):
        load_model(path)
