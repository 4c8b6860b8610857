"""BioImage.IO packages: what is in them. The software they are for tests them in tests/interop."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from napari_tessera import load_model
from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.exporting import export_bioimageio
from napari_tessera.models.exporting.description import model_name
from napari_tessera.models.exporting.geometry import tile_geometry
from napari_tessera.models.own_format import read_trained
from napari_tessera.models.processing import Affine, Standardize

from ..own_files import Levels, saved

SMALL = UNetSettings(2, 2, 2, depth=1, features=2)


def contents(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return yaml.safe_load(files["rdf.yaml"]), files


def test_what_is_in_a_package(tmp_path: Path) -> None:
    model = saved(tmp_path / "model.safetensors", SMALL)
    out = export_bioimageio(
        model, tmp_path / "out.zip", authors=["Ada Lovelace", "A/B"], licence="CC-BY-4.0"
    )
    whole, files = contents(out)
    assert whole["authors"] == [{"name": "Ada Lovelace"}, {"name": "A-B"}]
    assert whole["license"] == "CC-BY-4.0"
    assert whole["cite"][0]["doi"] == "10.1109/CVPR.2019.00223"
    (given,), (made,) = whole["inputs"], whole["outputs"]
    for file in (given["test_tensor"], made["test_tensor"], whole["weights"]["torchscript"]):
        assert hashlib.sha256(files[file["source"]]).hexdigest() == file["sha256"]
    document = read_trained(model).document
    assert given["preprocessing"] == [
        {
            "id": "fixed_zero_mean_unit_variance",
            "kwargs": {"axis": "channel", "mean": [*document.means], "std": [*document.stds]},
        }
    ]
    back = made["postprocessing"][0]
    assert back["id"] == "scale_linear"
    assert back["kwargs"]["offset"] == [*document.means]
    # 10 px: what two levels of convolutions, a pooling and an upsampling see
    assert [axis.get("halo") for axis in made["axes"]] == [None, None, 10, 10]
    assert [axis["size"] for axis in given["axes"][2:]] == [{"min": 22, "step": 2}] * 2
    readme = files["README.md"].decode()
    for words in ("## Validation", "Ada Lovelace", "CC-BY-4.0", "4,000 steps", "10.1109/CVPR"):
        assert words in readme
    assert "secret" not in readme + files["rdf.yaml"].decode()
    cover = Image.open(io.BytesIO(files["cover.png"]))
    assert cover.size == (512, 256)
    assert len(files["cover.png"]) < 500_000
    info = load_model(out, device="cpu").info
    assert info.own_test.startswith("the package's own test passes")
    assert info.about.authors == ("Ada Lovelace", "A-B")


def test_nothing_is_said_of_authors_and_licence_where_nothing_is_known(tmp_path: Path) -> None:
    model = saved(tmp_path / "model.safetensors", SMALL, training={}, test=False)
    whole, files = contents(export_bioimageio(model, tmp_path / "out.zip"))
    assert not {"authors", "license", "cite"} & whole.keys()
    assert "Licence: not specified" in files["README.md"].decode()
    given = np.load(io.BytesIO(files["test_input.npy"]))
    assert given.shape == (1, 2, 22, 22)
    assert np.allclose(given.mean((0, 2, 3)), (120.5, 130.5), atol=5)


def test_the_same_model_makes_the_same_package_but_for_its_date_and_program(tmp_path: Path) -> None:
    """PyTorch numbers the classes of programs that one process writes."""
    model = saved(tmp_path / "model.safetensors", SMALL)
    one, other = (contents(export_bioimageio(model, tmp_path / f"{i}.zip")) for i in range(2))
    moving: dict[str, Any] = {"timestamp": "", "weights": {}}
    assert one[0] | moving == other[0] | moving
    left_out = {"rdf.yaml": b"", "weights.pt": b""}
    assert one[1] | left_out == other[1] | left_out


def test_grey_levels_that_hardly_differ(tmp_path: Path) -> None:
    """The format's own operation takes no deviation below 1e-6."""
    from napari_tessera.models.own_format import save_trained

    from ..own_files import network

    settings = UNetSettings(2, depth=1, features=2)
    path = save_trained(
        tmp_path / "m.safetensors",
        network(settings),
        settings=settings,
        axes="YX",
        statistics=Levels((3.0,), (0.0,)),
        training={},
    )
    out = export_bioimageio(path, tmp_path / "out.zip")
    assert contents(out)[0]["inputs"][0]["preprocessing"][0]["id"] == "scale_linear"
    processing = load_model(out, device="cpu").processing
    assert processing is not None
    assert isinstance(processing.before[0], Affine)
    usual = load_model(path, device="cpu").processing
    assert usual is not None
    assert isinstance(usual.before[0], Standardize)


@pytest.mark.parametrize(
    ("settings", "halo"),
    [
        (UNetSettings(2, depth=1, features=2), (10, 10)),
        (UNetSettings(2, depth=2, features=2), (28, 28)),
        (UNetSettings(3, depth=1, features=2), (10, 10, 10)),
        pytest.param(UNetSettings(3, depth=3, features=2), (48, 48, 48), marks=pytest.mark.slow),
    ],
)
def test_halos_are_whole_steps(
    settings: UNetSettings, halo: tuple[int, ...], tmp_path: Path
) -> None:
    """So that tiles of other software begin where the network's own grid does."""
    trained = read_trained(saved(tmp_path / "m.safetensors", settings, test=False))
    geometry = tile_geometry(trained, "m")
    assert geometry.halo == halo
    assert geometry.reach is not None
    if settings.depth < 3:
        assert all(h >= r for h, r in zip(halo, geometry.reach, strict=True))
    assert all(h % geometry.step == 0 for h in halo)
    assert geometry.minimum == tuple(2 * h + geometry.step for h in halo)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("cells", "cells"),
        ("a", "denoise a"),
        ("", "denoise"),
        ("Zellkerne (übersät) #3", "Zellkerne (_bers_t) _3"),
        ("x" * 200, "x" * 64),
    ],
)
def test_names_as_the_format_takes_them(name: str, given: str) -> None:
    assert model_name(name) == given
