"""Reading what ``torch.save`` and safetensors write, and nothing else."""

from __future__ import annotations

import contextlib
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from napari_tessera.models import archive as archive_room
from napari_tessera.models.checkpoints import read_checkpoint, read_state_dict
from napari_tessera.models.errors import ModelError

from .attacks import ATTACKS
from .files import new_layout, saved


def _refused(path: Path, says: str) -> None:
    with pytest.raises(ModelError, match=says) as raised:
        read_state_dict(path)
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith(f"{path.name} cannot be loaded: ")
    assert message.count(". ") >= 1, "there is no way out"


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrapped", [None, "state_dict", "params_ema", "model_state_dict"])
def test_weights_come_back(wrapped: str | None, legacy: bool, tmp_path: Path) -> None:
    state = nn.Conv2d(2, 3, 3).state_dict()
    content = {wrapped: state, "epoch": 3, "optimizer": {"lr": 0.1}} if wrapped else state
    found = read_state_dict(saved(content, tmp_path, legacy=legacy))
    assert found.keys() == {"weight", "bias"}
    assert all(torch.equal(found[key], state[key]) for key in found)


def test_weights_of_a_gpu_come_to_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = nn.Conv2d(2, 3, 3).state_dict()
    # what a file from another machine says of where its weights lay
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:3")
    for legacy in (False, True):
        path = saved(state, tmp_path, legacy=legacy)
        assert b"cuda:3" in path.read_bytes()
        found = read_state_dict(path)
        assert all(value.device.type == "cpu" for value in found.values())
        assert torch.equal(found["weight"], state["weight"])


def test_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    state = {"module.weight": torch.randn(2, 3), "module.bias": torch.zeros(2)}
    save_file(state, path, metadata={"made by": "a test"})
    found = read_state_dict(path)
    assert torch.equal(found["weight"], state["module.weight"])


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_nothing_in_a_file_is_run(attack: Callable[[Path, Path], None], tmp_path: Path) -> None:
    path, mark = tmp_path / "model.pth", tmp_path / "ran"
    attack(path, mark)
    _refused(path, "pickles can run anything|PyTorch's reader of weights refuses it")
    assert not mark.exists()


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Read without care, each does what the test above says that it does not."""
    for attack in ATTACKS:
        path, mark = tmp_path / f"{attack.__name__}.pth", tmp_path / f"{attack.__name__} ran"
        attack(path, mark.with_name(attack.__name__))
        mark = mark.with_name(attack.__name__)
        try:
            torch.load(path, weights_only=False)
        except (pickle.UnpicklingError, RuntimeError, AttributeError, TypeError):
            pickle.loads(path.read_bytes())
        assert mark.exists(), attack.__name__


def test_a_whole_network_is_named(tmp_path: Path) -> None:
    path = saved(nn.Sequential(nn.Conv2d(1, 1, 1)), tmp_path)
    _refused(path, r"pickled Python object \(torch.nn.modules.container.Sequential\)")
    _refused(path, r"Save its weights instead, where it runs: torch.save\(net.state_dict")


def test_numbers_of_numpy_are_named(tmp_path: Path) -> None:
    content = {"state_dict": {"weight": torch.zeros(1)}, "loss": np.float64(0.5)}
    _refused(saved(content, tmp_path), r"pickled Python object \(numpy")


def test_what_only_looks_harmless_is_left_to_pytorch(tmp_path: Path) -> None:
    content = {"state_dict": {"weight": torch.zeros(1)}, "call": torch.load}
    _refused(saved(content, tmp_path), "PyTorch's reader of weights refuses it .*torch.*load")


def test_no_weights(tmp_path: Path) -> None:
    for content in ({}, {"epoch": 3}, [torch.zeros(1)], torch.zeros(3), {"state_dict": {"a": 1}}):
        _refused(saved(content, tmp_path), "there are no weights in it, nor in its params_ema")


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_files_cut_off(kept: float, legacy: bool, tmp_path: Path) -> None:
    path = saved(new_layout(), tmp_path, legacy=legacy)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    _refused(path, "damaged")


def test_a_safetensors_file_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"weight": torch.randn(200, 3)}, path)
    whole = path.read_bytes()
    for kept in (9, 60, 500):
        path.write_bytes(whole[:kept])
        _refused(path, "damaged")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 10**12]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
        {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]},
        {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]},
        {"shape": [2]},
    ],
)
def test_a_safetensors_header_that_lies(entry: dict[str, object], tmp_path: Path) -> None:
    header = json.dumps({"weight": entry}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    _refused(path, "damaged")


def test_a_header_longer_than_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    _refused(path, "damaged")


def test_a_tensor_larger_than_its_numbers(tmp_path: Path) -> None:
    wide = torch.zeros(1).expand(2**40)
    _refused(saved(OrderedDict(weight=wide), tmp_path), "claims 1,099,511,627,776 numbers")


def test_what_is_no_array(tmp_path: Path) -> None:
    for value in (torch.eye(3).to_sparse(), torch.zeros(2, device="meta")):
        _refused(saved({"weight": value}, tmp_path), "'weight' is no plain array of numbers")


def test_an_archive_that_unpacks_to_far_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_room, "SMALL", 2**20)
    path = tmp_path / "model.pt"
    content = saved({"weight": torch.zeros(500_000)}, tmp_path, "big.pt")
    with (
        zipfile.ZipFile(content) as given,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in given.namelist():
            packed.writestr(name, given.read(name))
    _refused(path, "unpacks to .* times its size")


@pytest.mark.parametrize("legacy", [False, True])
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_one_wrong_byte(legacy: bool, at: float, byte: int, tmp_path: Path) -> None:
    path = saved({"state_dict": {"weight": torch.ones(3)}, "epoch": 3}, tmp_path, legacy=legacy)
    content = bytearray(path.read_bytes())
    # most of the file is padding and weights: look at where the pickle lies more closely
    content[int(at * min(len(content), 900))] = byte
    path.write_bytes(content)
    with contextlib.suppress(ModelError):
        found = read_state_dict(path)
        assert all(isinstance(value, torch.Tensor) for value in found.values())


def test_an_archive_with_two_pickles_of_one_name(tmp_path: Path) -> None:
    path = saved(new_layout(), tmp_path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(archive.namelist()[0], b"\x80\x02}.")
    _refused(path, "stands twice")


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "text.pth"
    for content in (b"hello", b"\x80", b"\x80\x02", b"\x80\x02hello", bytes(100)):
        path.write_bytes(content)
        _refused(path, "damaged")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/readme.txt", "hello")
    _refused(path, "a zip archive without a model in it")


def test_an_archive_on_several_disks(tmp_path: Path) -> None:
    path = saved(new_layout(), tmp_path)
    whole = path.read_bytes()
    end = whole.rindex(b"PK\x05\x06")
    five_disks = struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 5)
    path.write_bytes(whole[:end] + five_disks + whole[end:])
    _refused(path, "it is a damaged zip archive")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize("kind", ["zip", "pickles", "safetensors"])
def test_the_file_is_opened_once(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is loaded is what was looked at, even if the file is another by then."""
    path = tmp_path / "weights.pt"
    state = {"weight": torch.ones(3)}
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    real = Path.read_bytes

    def read_and_replace(self: Path) -> bytes:
        content = real(self)
        self.write_bytes(b"something else by now")
        return content

    monkeypatch.setattr(Path, "read_bytes", read_and_replace)
    read = read_checkpoint(path)
    assert isinstance(read, dict)
    assert torch.equal(read["weight"], torch.ones(3))


@pytest.mark.parametrize("protocol", [4, 5])
def test_other_protocols_of_pickles(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(nn.Conv2d(1, 1, 3).state_dict(), path, pickle_protocol=protocol)
    _refused(path, r"torch\.save\(…, pickle_protocol=2\)")


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save({"w": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])}, path)
    # PyTorch 2.15 does not read them itself
    _refused(path, "its weight 'w' is no plain array of numbers|_nested_tensor was not an allowed")
