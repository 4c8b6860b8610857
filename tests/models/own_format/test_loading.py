"""Model files of strangers: loaded, or refused in one line, and nothing of them is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from napari_tessera import load_model
from napari_tessera.models import ModelError
from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.checkpoints import load_checkpoint
from napari_tessera.models.own_format import read_trained
from napari_tessera.models.own_format.header import KEY, document_text

from ..own_files import saved

SMALL = UNetSettings(2, depth=1, features=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return saved(tmp_path_factory.mktemp("own") / "m.safetensors", SMALL).read_bytes()


def rewritten(
    path: Path, whole: bytes, tensors: dict[str, Any] | None = None, text: str | None = None
) -> Path:
    """The same file with other tensors (None: left out) or another description."""
    state = load(whole) | (tensors or {})
    state = {key: value for key, value in state.items() if value is not None}
    document = document_text(whole) if text is None else text
    assert document is not None
    path.write_bytes(save(state, {KEY: document}))
    return path


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as raised:
        load_model(path, device="cpu")
    text = str(raised.value)
    assert text.startswith("m.safetensors cannot be loaded: ")
    assert "\n" not in text
    assert text.count(". ") >= 1, "there is no way out"
    return text


WEIGHT = "encoder.encoder_blocks.0.conv1.weight"


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({WEIGHT: None}, "1 of its weights are missing"),
        ({"more": torch.zeros(3)}, "1 weights too many ('more')"),
        ({WEIGHT: torch.zeros(2, 1, 5, 5)}, "has shape (2, 1, 5, 5), not (2, 1, 3, 3)"),
        ({WEIGHT: torch.full((2, 1, 3, 3), torch.nan)}, "numbers that are not finite"),
        ({WEIGHT: torch.zeros(2, 1, 3, 3, dtype=torch.int32)}, "holds int32, not real numbers"),
    ],
)
def test_weights_that_are_not_the_networks(
    tensors: dict[str, Any], says: str, whole: bytes, tmp_path: Path
) -> None:
    assert says in refused(rewritten(tmp_path / "m.safetensors", whole, tensors))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 7}, "format 7, and this napari-tessera reads 1"),
        ({"normalization": {"means": [1], "stds": [-1]}}, "below 0"),
        ({"axes": "exec('1')"}, "is not the network's"),
    ],
)
def test_descriptions_that_are_none(
    changes: dict[str, Any], says: str, whole: bytes, tmp_path: Path
) -> None:
    text = json.dumps(json.loads(document_text(whole) or "") | changes)
    assert says in refused(rewritten(tmp_path / "m.safetensors", whole, text=text))


def test_a_network_larger_than_any_memory_is_refused_at_once(whole: bytes, tmp_path: Path) -> None:
    document = json.loads(document_text(whole) or "")
    document["architecture"] |= {"features": 4096, "depth": 12}
    text = refused(rewritten(tmp_path / "m.safetensors", whole, text=json.dumps(document)))
    assert "missing" in text or "cannot be built" in text


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"test_input": None}, "its test_input is missing"),
        ({"test_output": None}, "its test_output is missing"),
        ({"test_input": torch.zeros(1, 2, 8, 8)}, "its test_input has shape"),
        ({"test_output": torch.zeros(3)}, "its test_output has shape"),
        ({"test_output": torch.zeros(1, 1, 8, 10)}, "test_input and test_output have shapes"),
        (
            {"test_input": torch.zeros(1, 1, 7, 8), "test_output": torch.zeros(1, 1, 7, 8)},
            "no multiple of 2",
        ),
        ({"test_input": torch.zeros(1, 1, 40, 44, dtype=torch.int16)}, "holds int16, not float32"),
        ({"test_output": torch.zeros(1, 1, 0, 44)}, "its test_output has shape"),
    ],
)
def test_a_test_of_no_use_is_warned_of(
    tensors: dict[str, Any], says: str, whole: bytes, tmp_path: Path
) -> None:
    path = rewritten(tmp_path / "m.safetensors", whole, tensors)
    model = load_model(path, device="cpu")
    (warning,) = model.loaded.warnings
    assert warning.startswith("its own test cannot be run: ")
    assert says in warning
    assert read_trained(path).problem in warning
    assert model.info.own_test == "none"


def test_a_test_that_fails_is_warned_of(whole: bytes, tmp_path: Path) -> None:
    expected = load(whole)["test_output"]
    path = rewritten(tmp_path / "m.safetensors", whole, {"test_output": expected + 5})
    with pytest.warns(UserWarning, match="own test fails by 5"):
        model = load_model(path, device="cpu")
    assert model.own_test_result is not None
    assert not model.own_test_result.passed


def test_weights_beside_which_others_wrote_something_are_weights(
    whole: bytes, tmp_path: Path
) -> None:
    state = {key: value for key, value in load(whole).items() if not key.startswith("test_")}
    path = tmp_path / "m.safetensors"
    path.write_bytes(save(state, {"made by": "somebody else"}))
    assert load_checkpoint(path).format == "weights of a CAREamics UNet"
    with pytest.raises(ModelError, match=r"no model file that napari-tessera trained\. Only these"):
        read_trained(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02.",
        (1 << 62).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (20).to_bytes(8, "little") + b'{"__metadata__": 3} ',
        (60).to_bytes(8, "little") + b'{"__metadata__": {"napari_tessera": 3}}'.ljust(60),
        (400_000).to_bytes(8, "little") + b"[" * 400_000,
    ],
)
def test_headers_without_a_description(content: bytes) -> None:
    assert document_text(content) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damaged_anywhere_it_is_refused_or_loads(
    data: st.DataObject, whole: bytes, tmp_path: Path
) -> None:
    """In the header most of all, where a byte decides what the rest is."""
    header = 8 + int.from_bytes(whole[:8], "little")
    place = data.draw(st.integers(0, header - 1) | st.integers(0, len(whole) - 1))
    content = bytearray(whole)
    content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(whole)))
    path = tmp_path / "m.safetensors"
    path.write_bytes(bytes(content[:cut]))
    refusal = ""
    try:
        loaded = load_checkpoint(path)
    except ModelError as error:
        refusal = str(error)
    else:
        with torch.no_grad():
            assert loaded.network(torch.zeros(1, 1, 8, 8)).shape == (1, 1, 8, 8)
    assert "\n" not in refusal
    assert len(refusal) < 2500


def test_large_means_keep_their_pixels(tmp_path: Path) -> None:
    """A camera's offset of 30,000 levels below 20 levels of signal."""
    path = saved(tmp_path / "m.safetensors", SMALL, mean=30_000.3)
    trained = read_trained(path)
    assert trained.document.means == (float(np.float32(30_000.3)),)
    model = load_model(path, device="cpu")
    assert model.own_test_result is not None
    assert model.own_test_result.max_difference < 0.01
