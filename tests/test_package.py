"""What `import napari_tessera` promises, and its manifest."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import npe2
import pytest

import napari_tessera
from napari_tessera import stacks

ROOT = Path(__file__).parents[1]
WITH_TORCH = ("models", "patching", "prediction", "training", "writing")
PUBLIC_NAMES = {
    "PredictionPlan",
    "TrainingSettings",
    "iter_predictions",
    "load_model",
    "open_stack",
    "plan_prediction",
    "predict",
    "predict_to_disk",
    "train",
}


def modules_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `statement`."""
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    return {name.partition(".")[0] for name in json.loads(output)}


def test_import_loads_no_torch_no_qt_no_napari() -> None:
    heavy = {"torch", "napari", "qtpy", "PyQt6", "PySide6", "magicgui", "superqt", "vispy"}
    assert not modules_after("import napari_tessera") & heavy


@pytest.mark.parametrize("name", sorted(PUBLIC_NAMES))
def test_public_names_are_there(name: str) -> None:
    assert callable(getattr(napari_tessera, name))


def test_public_names_need_no_qt_and_no_napari() -> None:
    loaded = modules_after("from napari_tessera import *")
    assert "torch" in loaded
    assert not loaded & {"napari", "qtpy", "PyQt6", "PySide6", "magicgui", "superqt", "vispy"}


@pytest.mark.parametrize(
    "rooms", [("stacks",), pytest.param(WITH_TORCH, marks=pytest.mark.slow, id="with torch")]
)
def test_rooms_give_all_their_names_without_the_packages_of_extras(rooms: Sequence[str]) -> None:
    blocked = (
        "bioio",
        "bioio_base",
        "h5py",
        "fsspec",
        "s3fs",
        "distributed",
        "onnx",
        "onnxruntime",
    )
    statements = [f"sys.modules.update(dict.fromkeys({blocked}))"]
    statements += [f"from napari_tessera.{room} import *" for room in rooms]
    assert "napari_tessera" in modules_after("; ".join(statements))


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("BioioStack", "bioio_base", "bioio"), ("HDF5Stack", "h5py", "hdf5")],
)
def test_a_name_of_an_extra_says_what_to_install(name: str, package: str, extra: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from napari_tessera.stacks import {name}"
    tried = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert tried.returncode == 1
    assert f'pip install "napari-tessera[{extra}]"' in tried.stderr.splitlines()[-1]
    assert name in dir(stacks)


def test_names_listed_are_the_public_ones() -> None:
    assert set(napari_tessera.__all__) == PUBLIC_NAMES
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = napari_tessera.no_such_name  # type: ignore[attr-defined]


def test_manifest_is_valid_and_names_what_exists() -> None:
    manifest = npe2.PluginManifest.from_file(ROOT / "src" / "napari_tessera" / "napari.yaml")
    manifest.validate_imports()
    assert manifest.name == "napari-tessera"
    contributions = manifest.contributions
    assert [widget.display_name for widget in contributions.widgets or []] == [
        "Denoise",
        "Train on this layer",
    ]
    assert list(contributions.menus) == ["napari/layers/filter"]
    assert {sample.key for sample in contributions.sample_data or []} == {"noisy_2d", "noisy_3dt"}


def test_napari_finds_the_installed_manifest() -> None:
    manifest = npe2.PluginManifest.from_distribution("napari-tessera")
    assert manifest.package_version == napari_tessera.__version__
    assert all(command.python_name for command in manifest.contributions.commands or [])


def test_top_level_manifest_points_at_the_real_one() -> None:
    """A relative symlink; where git makes none, it is a text file holding the same path."""
    top = ROOT / "napari.yaml"
    real = Path("src", "napari_tessera", "napari.yaml")
    target = str(top.readlink()) if top.is_symlink() else top.read_text().strip()
    assert Path(target) == real
