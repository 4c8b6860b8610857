"""Files made to do harm when they are loaded, given to ``load_model`` as people would give them.

Each test shows first that the file is dangerous: opened as its own software opens it, it creates a
folder or a file. (What edited torch.export programs can do is shown in ``exported/test_attacks``.)
"""

from __future__ import annotations

import io
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import helper
from torch import Tensor, nn

from napari_tessera.models import ModelError, load_model

from .writing_modules import WritesOnCall, WritesOnLoad

IMAGE = torch.ones(1, 1, 8, 8)


class _Touch:
    """Creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def _assert_refused(path: Path, target: Path, says: str) -> None:
    with pytest.raises(ModelError, match=f"^{path.name} cannot be loaded: .*{says}") as raised:
        load_model(path, device="cpu")
    message = str(raised.value)
    assert "\n" not in message
    assert ". " in message, "no way out is given"
    assert not target.exists()


def _saved(what: object, *, legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(what, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def _in_checkpoint(touch: _Touch) -> dict[str, Any]:
    state = {f"model.{key}": value for key, value in nn.Conv2d(1, 1, 3).state_dict().items()}
    return {"state_dict": state, "pytorch-lightning_version": "2.5", "hyper_parameters": touch}


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.ckpt", "net.onnx", "net"])
@pytest.mark.parametrize(
    "write",
    [
        lambda touch: _saved(touch),
        lambda touch: _saved(touch, legacy=True),
        lambda touch: _saved(_in_checkpoint(touch)),
        lambda touch: _saved(_in_checkpoint(touch), legacy=True),
        lambda touch: pickle.dumps(touch, protocol=5),
        lambda touch: pickle.dumps(touch, protocol=2),
    ],
    ids=["object", "object, old", "checkpoint", "checkpoint, old", "pickle 5", "pickle 2"],
)
def test_pickles(tmp_path: Path, name: str, write: Callable[[_Touch], bytes]) -> None:
    target = tmp_path / "touched"
    path = tmp_path / name
    path.write_bytes(write(_Touch(target)))
    with suppress(RuntimeError):
        # of a bare pickle only the payload is read: it is no file of PyTorch
        torch.load(path, weights_only=False)
    assert target.exists(), "the file is no longer dangerous: the test proves nothing"
    target.rmdir()
    _assert_refused(path, target, r"pickled Python object \((posix|nt)\.mkdir\)")


def test_pickles_of_the_first_protocols_are_no_models(tmp_path: Path) -> None:
    """They have no mark at their beginning, and PyTorch never wrote them."""
    target = tmp_path / "touched"
    for protocol in (0, 1):
        path = tmp_path / f"net{protocol}.pt"
        path.write_bytes(pickle.dumps(_Touch(target), protocol=protocol))
        _assert_refused(path, target, "it is no model file")


@pytest.mark.parametrize("legacy", [False, True])
def test_whole_modules(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(_saved(nn.Conv2d(1, 1, 3), legacy=legacy))
    says = r"pickled Python object \(torch.nn.modules.conv.Conv2d\), and pickles can run anything"
    _assert_refused(path, tmp_path / "nothing", says)


class _Saves(nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, x: Tensor) -> Tensor:
        torch.save(x, self.path)
        return x


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (WritesOnLoad, "__[gs]etstate__, which could run code or write files"),
        (WritesOnCall, "from_file"),
        (_Saves, "save"),
    ],
)
def test_torchscript(tmp_path: Path, make: Callable[[str], nn.Module], says: str) -> None:
    target = tmp_path / "written"
    path = tmp_path / "net.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(make(str(target))).save(path)
        torch.jit.load(path)(IMAGE)
    assert target.exists(), "the file is no longer dangerous: the test proves nothing"
    target.unlink()
    _assert_refused(path, target, says)


def test_onnx_weights_from_other_places(tmp_path: Path) -> None:
    """Whatever file lies there would come out as grey levels."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret__")
    weight = onnx.TensorProto(name="w", dims=[2], data_type=1)
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret")
    node = helper.make_node("Add", ["x", "w"], ["y"])
    values = [helper.make_tensor_value_info(name, 1, ("n", 1, "h", "w")) for name in "xy"]
    graph = helper.make_graph([node], "net", values[:1], values[1:], [weight])
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "net.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    _assert_refused(path, tmp_path / "nothing", "its weights lie outside its folder")


_KINDS = {
    "net.pt": ("net/data.pkl", "net/code/__torch__.py", "net/version"),
    "net.pth": ("net/data.pkl", "net/version"),
    "net.pt2": ("net/archive_format", "net/models/model.json"),
    "net.zip": ("rdf.yaml",),
}
"""Archives of each kind, by the names of their members."""


@pytest.mark.parametrize("name", list(_KINDS))
def test_zip_bombs(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in _KINDS[name]:
            archive.writestr(member, b"")
        folder = _KINDS[name][0].rpartition("/")[0]
        with archive.open(f"{folder}/data/0".strip("/"), "w", force_zip64=True) as member:
            for _ in range(66):
                member.write(bytes(2**20))
    _assert_refused(path, tmp_path / "nothing", "it unpacks to [0-9,]+ times its size")


@pytest.mark.parametrize("name", list(_KINDS))
@pytest.mark.parametrize("evil", ["../evil", "net/../../evil", "/evil"])
def test_members_outside_their_folder(tmp_path: Path, name: str, evil: str) -> None:
    path = tmp_path / "models" / name
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for member in (*_KINDS[name], evil):
            archive.writestr(member, b"evil")
    _assert_refused(path, tmp_path / "evil", "outside")
