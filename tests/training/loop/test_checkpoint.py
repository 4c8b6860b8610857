"""A state in a file: whole, of this training, and nothing but numbers and text."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from napari_tessera.training import TrainingError, TrainingSettings
from napari_tessera.training.loop.checkpoint import (
    Checkpoint,
    read_checkpoint,
    told_of_damage,
    write_checkpoint,
)

SETTINGS = TrainingSettings(patch_size=(16, 16), batch_size=2, loss="l2")


def state(**changed: Any) -> Checkpoint:
    values = {"losses": [0.1, 1 / 3, 1e-300], "text": "größer"}
    tensors = {"network/a": torch.rand(2, 3), "moments/0/step": torch.tensor(4.0)}
    given = {"settings": SETTINGS, "fingerprint": "f", "step": 4, "tensors": tensors}
    return Checkpoint(**{**given, "values": values, **changed})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written, path = state(), tmp_path / "m.safetensors.training"
    order = torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    written.tensors["network/b"] = order  # type: ignore[index]
    write_checkpoint(path, written)
    found = read_checkpoint(path)
    assert (found.settings, found.fingerprint, found.step) == (SETTINGS, "f", 4)
    assert found.values == written.values
    assert found.tensors.keys() == written.tensors.keys()
    assert all(torch.equal(found.tensors[name], one) for name, one in written.tensors.items())
    assert found.part("network").keys() == {"a", "b"}
    assert found.part("moments").keys() == {"0/step"}


def test_one_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_checkpoint(path, state(step=1))
    with pytest.raises(ValueError, match="Out of range float"):
        write_checkpoint(path, state(step=2, values={"loss": float("nan")}))
    assert read_checkpoint(path).step == 1
    assert [each.name for each in tmp_path.iterdir()] == ["state"]
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_checkpoint(tmp_path / "none" / "state", state())


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps({"a": 1}), b"\xff" * 100])
def test_another_file_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="state is no state of a training") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        "no json",
        "[1]",
        json.dumps({"format": 1, "settings": {"features": "many"}}),
        json.dumps({"format": 1, "settings": {}, "fingerprint": "", "step": None}),
    ],
)
def test_damaged_states_are_refused(document: str, tmp_path: Path) -> None:
    path = tmp_path / "state"
    save_file({"a": torch.zeros(1)}, path, {"napari_tessera_training": document})
    with pytest.raises(TrainingError):
        read_checkpoint(path)


def test_what_memory_is_too_short_for_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(torch.OutOfMemoryError), told_of_damage(tmp_path / "state"):
        raise torch.OutOfMemoryError("out of memory")


def test_a_newer_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save_file({"a": torch.zeros(1)}, path, {"napari_tessera_training": '{"format": 99}'})
    with pytest.raises(TrainingError, match="of version 99, this software reads 1"):
        read_checkpoint(path)


def test_a_missing_file_says_so_itself(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "state")
