"""Weights that lie outside the model's file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from napari_tessera.models import ModelError
from napari_tessera.models.onnx import load_onnx

Make = Callable[..., Any]


@pytest.fixture
def apart(graph: Make, write: Make) -> Callable[..., Path]:
    """Write a model that adds 0, 1, 2, … to an image, with these numbers in another file."""

    def to_file(location: str = "numbers.bin", **entries: str) -> Path:
        made = graph()
        model = made.model(made.add("Add", "image", made.constant(np.arange(4))))
        weight = model.graph.initializer[0]
        entries = {"location": location, **entries}
        weight.ClearField("raw_data")
        weight.data_location = onnx.TensorProto.EXTERNAL
        for key, value in entries.items():
            weight.external_data.add(key=key, value=value)
        path = write(model, "models/net.onnx")
        # as text: onnx itself will not write some of them
        return path

    return to_file


NUMBERS = np.arange(4, dtype=np.float32).tobytes()


def _assert_right(path: Path) -> None:
    answer = load_onnx(path).network(torch.zeros(1, 1, 1, 4))
    assert answer.ravel().tolist() == [0, 1, 2, 3]


def _assert_refused(path: Path, says: str) -> None:
    with pytest.raises(ModelError, match=f"^net.onnx cannot be loaded: .*{says}") as raised:
        load_onnx(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("location", ["numbers.bin", "data/numbers.bin", "./numbers.bin"])
def test_beside_the_model(apart: Make, location: str) -> None:
    path = apart(location)
    file = path.parent / location
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(NUMBERS)
    _assert_right(path)
    file.unlink()
    _assert_refused(path, r"numbers.bin' are missing\. Put that file beside it")


def test_a_part_of_a_file(apart: Make) -> None:
    path = apart(offset="8", length="16", checksum="0")
    (path.parent / "numbers.bin").write_bytes(b"12345678" + NUMBERS + b"more")
    _assert_right(path)
    (path.parent / "numbers.bin").write_bytes(b"12345678" + NUMBERS[:-1])
    _assert_refused(path, "numbers.bin ends before the weights")


def test_they_are_part_of_the_hash(apart: Make) -> None:
    path = apart()
    file = path.parent / "numbers.bin"
    file.write_bytes(NUMBERS)
    first = load_onnx(path).sha256
    file.write_bytes(NUMBERS[::-1])
    assert load_onnx(path).sha256 != first


@pytest.mark.parametrize(
    "location",
    ["../numbers.bin", "data/../../numbers.bin", "/etc/hostname", "..", ".", "", "C:\\n", "a\\b"],
)
def test_outside_the_folder(apart: Make, tmp_path: Path, location: str) -> None:
    path = apart(location)
    (tmp_path / "numbers.bin").write_bytes(NUMBERS)
    (path.parent / "data").mkdir()
    _assert_refused(path, r"its weights lie outside its folder \(.*Save it as one file")


def test_an_absolute_path_into_the_folder_is_outside(apart: Make, tmp_path: Path) -> None:
    path = apart(str(tmp_path / "models" / "numbers.bin"))
    (path.parent / "numbers.bin").write_bytes(NUMBERS)
    _assert_refused(path, "its weights lie outside its folder")


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_links_out_of_the_folder(apart: Make, tmp_path: Path) -> None:
    path = apart()
    (tmp_path / "numbers.bin").write_bytes(NUMBERS)
    link = path.parent / "numbers.bin"
    link.symlink_to(tmp_path / "numbers.bin")
    _assert_refused(path, "its weights lie outside its folder")
    link.unlink()
    (path.parent / "inside").write_bytes(NUMBERS)
    link.symlink_to("inside")
    _assert_right(path)


@pytest.mark.parametrize(
    "entries",
    [{"offset": "many"}, {"offset": "-4"}, {"offset": "99"}, {"length": "1e3"}],
)
def test_damaged_lists(apart: Make, entries: dict[str, str]) -> None:
    path = apart(**entries)
    (path.parent / "numbers.bin").write_bytes(NUMBERS)
    _assert_refused(path, "its list of weights is damaged")


@pytest.mark.parametrize("offset", [99, 2**62, 2**70])
def test_a_place_behind_the_end(apart: Make, offset: int) -> None:
    path = apart(offset=str(offset), length="16")
    (path.parent / "numbers.bin").write_bytes(NUMBERS)
    _assert_refused(path, "numbers.bin ends before the weights")


def test_more_than_fits_is_not_read(apart: Make) -> None:
    path = apart(length=str(2**40))
    (path.parent / "numbers.bin").write_bytes(NUMBERS)
    _assert_refused(path, "with its weights it has more than 2.0 GiB")


def test_wherever_a_tensor_may_stand(graph: Make, write: Make) -> None:
    """Constants, also those of inner graphs, can lie in files as well."""
    made = graph()
    outside = onnx.TensorProto(dims=[4], data_type=1, name="numbers")
    outside.data_location = onnx.TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="../numbers.bin")
    sparse = onnx.SparseTensorProto(values=outside, dims=[4])
    inner = onnx.helper.make_graph([], "inner", [], [], [outside])
    places: list[dict[str, Any]] = [
        {"value": outside},
        {"sparse_value": sparse},
        {"then_branch": inner},
        {"many": [inner]},
    ]
    for attributes in places:
        made = graph()
        model = made.model(made.add("Identity", "image", **attributes))
        _assert_refused(write(model), "its weights lie outside its folder")
    made = graph()
    model = made.model(made.add("Identity", "image"))
    model.graph.sparse_initializer.append(sparse)
    _assert_refused(write(model), "its weights lie outside its folder")


def test_a_link_that_leads_to_itself(apart: Make) -> None:
    path = apart("loop")
    (path.parent / "loop").symlink_to("loop")
    _assert_refused(path, "outside its folder|are missing")
