"""Files that were damaged on their way: refused in one line, or a model that still runs.

Bytes are changed anywhere, or within the members of an archive whose sums are then made right, or
files are cut off. Nothing but ModelError may come of it, and a network may only fail to run.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from torch import nn

from napari_tessera.models import ModelError
from napari_tessera.models.exported import load_exported
from napari_tessera.models.file_kinds import describe_refusal, file_kind
from napari_tessera.models.onnx import load_onnx
from napari_tessera.models.torchscript import load_torchscript

Load = Callable[[Path], Any]

LOADERS: dict[str, Load] = {
    "net.pt": load_torchscript,
    "net.pt2": load_exported,
    "net.onnx": load_onnx,
}

EDITABLE = (".json", ".py", ".pkl", "version")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One network as a file of each kind."""
    folder = tmp_path_factory.mktemp("originals")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(network).save(folder / "net.pt")
        program = torch.export.export(network, (torch.zeros(1, 1, 16, 16),))
        torch.export.save(program, folder / "net.pt2")
    weight = numpy_helper.from_array(network[0].weight.detach().numpy(), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(name, 1, ("n", None, "h", "w")) for name in "xy"]
    graph = helper.make_graph(nodes, "net", values[:1], values[1:], [weight])
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return {name: folder / name for name in LOADERS}


Damage = list[tuple[float, int]]
"""Where, as a share of the length, and the byte that stands there afterwards."""

damages = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4)


def _damaged(content: bytes, damage: Damage) -> bytes:
    changed = bytearray(content)
    for where, byte in damage:
        if changed:
            changed[int(where * len(changed))] = byte
    return bytes(changed)


def _damaged_within(content: bytes, which: float, damage: Damage) -> bytes:
    """Damage one member of an archive, and make its sum right."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        names = [name for name in old.namelist() if name.endswith(EDITABLE)]
        chosen = names[int(which * len(names))]
        for name in old.namelist():
            member = old.read(name)
            new.writestr(name, _damaged(member, damage) if name == chosen else member)
    return buffer.getvalue()


def _assert_harmless(path: Path, load: Load, before: set[Path]) -> None:
    if file_kind(path) is None:
        assert "\n" not in "".join(describe_refusal(path))
    network, refusal = None, ""
    try:
        loaded = load(path)
        network = getattr(loaded, "network", loaded)
    except ModelError as error:
        refusal = str(error)
    if network is None:
        assert refusal.startswith(f"{path.name} cannot be loaded: ")
        assert "\n" not in refusal
    else:
        # what it computes may have become nonsense
        with torch.no_grad(), suppress(RuntimeError, torch.jit.Error):
            network(torch.zeros(1, 1, 16, 16))
    assert set(path.parent.iterdir()) == before


@pytest.mark.parametrize("name", list(LOADERS))
@given(damage=damages, kept=st.floats(0.5, 1.5), which=st.floats(0, 1, exclude_max=True))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files(
    originals: dict[str, Path], tmp_path: Path, name: str, damage: Damage, kept: float, which: float
) -> None:
    content = originals[name].read_bytes()
    if name != "net.onnx" and which < 0.7:
        content = _damaged_within(content, which / 0.7, damage)
    else:
        # half of them are cut off
        content = _damaged(content, damage)[: int(kept * len(content))]
    path = tmp_path / name
    path.write_bytes(content)
    _assert_harmless(path, LOADERS[name], {path})
