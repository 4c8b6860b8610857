"""Models as they are packed for workers."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from torch import nn

from napari_tessera import load_model
from napari_tessera.prediction.cluster import parcels as parcels_module
from napari_tessera.prediction.cluster.parcels import parcels_of

from .scenes import write_model


def test_a_file_is_sent_as_it_is(model: Path) -> None:
    loaded = load_model(model, device="cpu")
    spec, (parcel,) = parcels_of(loaded)
    assert parcel.content == model.read_bytes()
    assert parcel.name == model.name
    assert parcel.sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    ((channel, sha256, options),) = spec.parcels
    assert (channel, sha256) == (None, parcel.sha256)
    assert (options.spatial_dims, options.in_channels, options.prepare) == (2, 1, True)
    assert spec.sha256 == loaded.sha256


def test_a_built_in_model_is_sent_by_name() -> None:
    _, (parcel,) = parcels_of(load_model("builtin:denoise2d", device="cpu"))
    assert (parcel.name, parcel.content, parcel.size) == ("builtin:denoise2d", None, 0)


def test_channels_that_share_a_file_send_it_once(model: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other.pt", seed=5)
    spec, parcels = parcels_of(load_model({0: model, 1: other, 3: model}, device="cpu"))
    assert len(parcels) == 2
    assert [channel for channel, _, _ in spec.parcels] == [0, 1, 3]
    assert spec.parcels[0][1] == spec.parcels[2][1] != spec.parcels[1][1]


def test_a_package_in_a_folder_is_packed_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "rdf.yaml").write_text("source: weights/net.onnx")
    for name in ("weights/net.onnx", "weights/net.onnx.data", "holiday.jpg", "weights/other.pt"):
        (tmp_path / name).write_text(name)
    packed = parcels_module._packed(tmp_path)
    assert packed == parcels_module._packed(tmp_path)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        # not what else lies in the folder
        assert archive.namelist() == ["rdf.yaml", "weights/net.onnx", "weights/net.onnx.data"]


def test_what_is_too_large_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels_module, "LARGEST", 100)
    with pytest.raises(ValueError, match=r"net\.pt has .* are sent to workers at most"):
        parcels_of(load_model(model, device="cpu"))


def test_python_code_is_not_sent() -> None:
    with pytest.raises(ValueError, match=r"is Python code in this process.*save it as a file"):
        parcels_of(load_model(nn.Conv2d(1, 1, 3, padding=1), device="cpu"))
