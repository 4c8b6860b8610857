from __future__ import annotations

import io
import os
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from safetensors.torch import save_file
from torch import nn

from napari_tessera.models import ModelError, load_model
from napari_tessera.models.file_kinds import EXPORT, FileKind, describe_refusal, file_kind


def _onnx() -> onnx.ModelProto:
    node = helper.make_node("Relu", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, 1, ("n", 1, "h", "w")) for name in "xy"]
    graph = helper.make_graph([node], "net", values[:1], values[1:])
    return helper.make_model(graph, producer_name="tests")


def _saved(what: object, *, legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(what, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def _zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return buffer.getvalue()


def _assert_refused(path: Path, says: str) -> None:
    assert file_kind(path) is None
    with pytest.raises(ModelError, match=f"^{path.name} cannot be loaded: {says}") as raised:
        load_model(path)
    assert "\n" not in str(raised.value)
    assert "not supported yet" not in str(raised.value)


@pytest.mark.parametrize("name", ["net.onnx", "net.bin", "net"])
def test_onnx_models_are_known_by_their_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(_onnx().SerializeToString())
    assert file_kind(path) is FileKind.ONNX


@pytest.mark.parametrize("length", [b"\x05", b"\x80" * 8 + b"\x40", b"\xff" * 9 + b"\x7f"])
def test_a_field_longer_than_its_file(tmp_path: Path, length: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\x08\x01\x3a" + length)
    _assert_refused(path, "it is no model file")


def test_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "file"
    state = nn.Conv2d(1, 1, 3).state_dict()
    for legacy in (False, True):
        path.write_bytes(_saved(state, legacy=legacy))
        assert file_kind(path) is FileKind.CHECKPOINT
    save_file(state, path)
    assert file_kind(path) is FileKind.CHECKPOINT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(nn.ReLU()).save(path)
        assert file_kind(path) is FileKind.TORCHSCRIPT
        program = torch.export.export(nn.ReLU(), (torch.zeros(1, 1, 4, 4),))
        torch.export.save(program, tmp_path / "net.pt2")
    assert file_kind(tmp_path / "net.pt2") is FileKind.EXPORTED
    path.write_bytes(_zipped("rdf.yaml", "weights.pt"))
    assert file_kind(path) is FileKind.PACKAGE
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "bioimageio.yaml").touch()
    assert file_kind(folder) is FileKind.PACKAGE
    assert file_kind(folder / "bioimageio.yaml") is FileKind.PACKAGE


def test_other_software(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["weights"] = np.zeros(3)
    _assert_refused(tmp_path / "net.h5", r"it is an HDF5 file \(Keras\?\).*model.export\('model.on")
    (tmp_path / "net.keras").write_bytes(_zipped("config.json", "model.weights.h5"))
    _assert_refused(tmp_path / "net.keras", "it is a Keras model. Export it as ONNX in Keras")
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    _assert_refused(folder, "it is a TensorFlow model. Convert it to ONNX: python -m tf2onnx")
    _assert_refused(folder / "variables", "it is a folder without a rdf.yaml")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("net.tflite", b"\x1c\0\0\0TFL3....", "it is a TensorFlow Lite model"),
        ("net.ort", b"\x1c\0\0\0ORTM....", "it was made by ONNX Runtime for one version"),
        ("net.onnx", b"\x1c\0\0\0ORTM....", "it was made by ONNX Runtime for one version"),
        ("net.pte", b"\x1c\0\0\0ET12....", "it is an ExecuTorch program"),
        ("net.so", b"\x7fELF\x02\x01", "it is compiled code, which is not run"),
        ("net.py", b"import os", "it is Python source, which is not run"),
        ("net.pth", b"version https://git-lfs.github.com/spec/v1\n", ".*Run: git lfs pull"),
        ("net.onnx", b"\n<!DOCTYPE html><html>", "it is a web page"),
        ("net.pt", b"PK\x03\x04....", "it is a damaged zip archive"),
        ("net.pt", b"", r"it is empty \(0 bytes\)"),
        ("net.pt", b"what is this", r"it is no model file. Choose a checkpoint"),
        ("net.zip", _zipped("a.txt"), "it is a zip archive without a model in it"),
        ("net.pt2", _zipped("net/model.so"), "it holds compiled code, which is not run"),
        ("net.pt", _zipped("p/.data/extern_modules", "p/net.py"), "it carries Python source"),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    _assert_refused(path, says)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")
    _assert_refused(tmp_path / "pipe.pt", "it is no file but a device or a pipe")


def test_the_way_out_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What people are told to run is run."""
    monkeypatch.chdir(tmp_path)
    line = EXPORT.partition(": ")[2].partition(", or")[0]
    net, example = nn.Conv2d(1, 1, 3, padding=1), torch.zeros(1, 1, 16, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        eval(line, {"torch": torch, "net": net, "example": example})
    assert load_model(tmp_path / "model.pt", device="cpu").in_channels == 1


@given(st.binary(max_size=200), st.sampled_from(["a.pt", "a.onnx", "a.zip", "a"]))
def test_any_bytes_are_told_from_models(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(content)
    if file_kind(path) is None:
        why, way_out = describe_refusal(path)
        assert "\n" not in why + way_out


@given(st.integers(0, 200))
def test_what_is_cut_off_is_no_onnx_model(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    content = _onnx().SerializeToString()
    path = tmp_path_factory.mktemp("cut") / "model"
    path.write_bytes(content[: min(cut, len(content) - 1)])
    # without the fields after the graph it is still one
    if file_kind(path) is FileKind.ONNX:
        assert onnx.ModelProto.FromString(path.read_bytes()).graph.node
