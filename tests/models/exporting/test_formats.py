"""Which format a file gets, and what is wrong before any work is done."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from napari_tessera.models import ModelError
from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.exporting import FORMATS, chosen_format, export_model

from ..own_files import saved

SMALL = UNetSettings(2, depth=1, features=8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return saved(tmp_path / "model.safetensors", SMALL)


@pytest.mark.parametrize(
    ("out", "format", "chosen"),
    [
        ("a.zip", None, "bioimageio"),
        ("a.PT", None, "torchscript"),
        ("a.b/c.ckpt", None, "careamics"),
        ("a.model", "careamics", "careamics"),
        ("a", "bioimageio", "bioimageio"),
    ],
)
def test_by_ending_or_by_name(out: str, format: str | None, chosen: str) -> None:
    assert chosen_format(out, format) == chosen


@pytest.mark.parametrize(
    ("out", "format", "says"),
    [
        ("a.onnx", None, r"'a\.onnx' stands for no format: name it \.zip \(bioimageio\), \.pt"),
        ("a", None, "or say which format"),
        ("a.zip", "onnx", "format 'onnx' is none of bioimageio, torchscript, careamics"),
        ("a.zip", "careamics", r"a\.zip is the name of a file in format bioimageio, not careamics"),
    ],
)
def test_what_is_no_format(out: str, format: str | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        chosen_format(out, format)


@pytest.mark.parametrize("format", FORMATS)
class TestBadPlaces:
    def test_a_file_that_is_there_stays(self, model: Path, tmp_path: Path, format: str) -> None:
        out = tmp_path / "out"
        out.write_bytes(b"mine")
        with pytest.raises(FileExistsError, match="exists: choose another name, or overwrite it"):
            export_model(model, out, format)
        assert out.read_bytes() == b"mine"
        assert export_model(model, out, format, overwrite=True) == out
        assert out.stat().st_size > 1000

    def test_a_folder_that_is_not_there(self, model: Path, tmp_path: Path, format: str) -> None:
        with pytest.raises(FileNotFoundError, match="there is no folder"):
            export_model(model, tmp_path / "no" / "out", format)

    def test_the_model_itself_stays(self, model: Path, tmp_path: Path, format: str) -> None:
        before = model.read_bytes()
        (tmp_path / "link").symlink_to(model)
        for out in (model, tmp_path / "link"):
            with pytest.raises(FileExistsError, match="is the model itself: choose another name"):
                export_model(model, out, format, overwrite=True)
        assert model.read_bytes() == before

    def test_a_model_that_comes_with_it(self, tmp_path: Path, format: str) -> None:
        with pytest.raises(ModelError, match=r"denoise2d cannot be used: it comes with .* Name a"):
            export_model("builtin:denoise2d", tmp_path / "out", format)

    def test_no_model(self, tmp_path: Path, format: str) -> None:
        with pytest.raises(ModelError, match=r"no\.safetensors cannot be used: there is no file"):
            export_model(tmp_path / "no.safetensors", tmp_path / "out", format)
        with pytest.raises(ModelError, match="it is a folder"):
            export_model(tmp_path, tmp_path / "out", format)

    def test_models_of_other_kinds(self, tmp_path: Path, format: str) -> None:
        path = tmp_path / "weights.pth"
        torch.save(nn.Conv2d(1, 1, 3).state_dict(), path)
        with pytest.raises(ModelError, match=r"no model file that napari-tessera trained\. Only"):
            export_model(path, tmp_path / "out", format)
        assert not (tmp_path / "out").exists()

    def test_a_licence_that_is_none(self, model: Path, tmp_path: Path, format: str) -> None:
        if format == "careamics":
            pytest.skip("a checkpoint of CAREamics has no place for a licence")
        with pytest.raises(ValueError, match="is no SPDX identifier"):
            export_model(model, tmp_path / "out", format, licence="do what you like")
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_leaves_nothing(
    model: Path, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's own error, by a device on which every write finds no space."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    write_bytes = Path.write_bytes

    def to_full(path: Path, content: bytes) -> int:
        path.symlink_to("/dev/full")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", to_full)
    with pytest.raises(OSError, match=r"no space left for .*out: make room"):
        export_model(model, tmp_path / "out", format)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors"]
