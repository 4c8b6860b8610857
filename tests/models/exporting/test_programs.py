"""TorchScript: grey levels in, grey levels out, and a note that says so."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_tessera import load_model, predict
from napari_tessera.models import ModelError
from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.exporting import export_torchscript
from napari_tessera.models.own_format.programs import NOTE, program_document

from ..own_files import image, levels, saved

SMALL = UNetSettings(2, depth=1, features=8)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    model = saved(folder / "model.safetensors", SMALL, authors=["Ada"])
    return export_torchscript(model, folder / "model.pt", licence="MIT")


def rewritten(path: Path, to: Path, note: bytes | None) -> Path:
    """The same program with another note; None: without."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for member in old.namelist():
            if not member.endswith(NOTE):
                new.writestr(member, old.read(member))
            elif note is not None:
                new.writestr(member, note)
    return to


def note_of(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(NOTE)]
        note: dict[str, Any] = json.loads(archive.read(name))
    return note


def test_pytorch_alone_gives_the_same(program: Path) -> None:
    given = image(SMALL, levels(SMALL), 40, 44)
    expected = np.asarray(predict(given[0], load_model(program, device="cpu")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = torch.jit.load(program)
    with torch.no_grad():
        found = net(torch.from_numpy(given)[None])[0, 0].numpy()
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)


def test_what_is_known_of_it(program: Path) -> None:
    info = load_model(program, device="cpu").info
    assert info.format == "TorchScript of napari-tessera (Noise2Void)"
    assert (info.reach, info.period) == ((10, 10), (2, 2))
    assert (info.about.authors, info.about.licence) == (("Ada",), "MIT")
    assert info.normalization == "none"
    assert "cells.tif" in (info.about.training or "")
    assert "ada" not in json.dumps(note_of(program))


def test_without_its_note_it_is_a_program_like_any_other(program: Path, tmp_path: Path) -> None:
    path = rewritten(program, tmp_path / "plain.pt", None)
    assert program_document(path) is None
    assert load_model(path, device="cpu").info.format == "TorchScript"


@pytest.mark.parametrize(
    ("note", "says"),
    [
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        (b"\xff\xfe", "no JSON"),
        (b'{"format": 2}', "not of format 1"),
        (b'{"format": 1, "grey_levels": "outside"}', "not of format 1"),
        (b'{"format": 1, "grey_levels": "built in"}', "no JSON object"),
        (b'{"format": 1, "grey_levels": "built in", "model": {"format": 9}}', "format 9"),
        (b" " * (4 * 2**20 + 1), "has 4,194,305 bytes"),
    ],
)
def test_a_damaged_note_is_refused(note: bytes, says: str, program: Path, tmp_path: Path) -> None:
    """Grey levels would be scaled twice without it."""
    path = rewritten(program, tmp_path / "m.pt", note)
    with pytest.raises(ModelError, match=says) as raised:
        load_model(path, device="cpu")
    assert str(raised.value).startswith("m.pt cannot be loaded: ")
