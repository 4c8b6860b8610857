"""What people install: the built wheel, in a fresh environment that holds no Qt binding."""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

import napari_tessera

ROOT = Path(__file__).parents[1]
INSTALL_SECONDS = 1500
RUN_SECONDS = 240

pytestmark = pytest.mark.slow


def clean_environment() -> dict[str, str]:
    """This process's environment, less what leads a Python elsewhere or to a screen."""
    elsewhere = {"DISPLAY", "WAYLAND_DISPLAY", "VIRTUAL_ENV"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in elsewhere and not name.startswith(("PYTHON", "COV_", "QT_"))
    }


def run(*command: str | Path, timeout: float = RUN_SECONDS) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT.anchor,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert result.returncode == 0, f"{command} failed:\n{result.stdout}\n{result.stderr}"
    return result


@dataclass(frozen=True)
class Distributions:
    sdist: Path
    wheel: Path


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The sdist, and the wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return Distributions(sdist, wheel)


@dataclass(frozen=True)
class Installation:
    python: Path
    command: Path


@pytest.fixture(scope="module")
def installation(
    distributions: Distributions, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """A fresh environment with the wheel, its dependencies and nothing else."""
    # a slow download is no deadlock: the time limit of the installation stands below
    faulthandler.cancel_dump_traceback_later()
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    suffix = ".exe" if os.name == "nt" else ""
    python = programs / f"python{suffix}"
    pip_install = (python, "-m", "pip", "install", "--quiet", "--no-compile")
    constraints = ("-c", ROOT / "constraints.txt")
    run(*pip_install, *constraints, distributions.wheel, timeout=INSTALL_SECONDS)
    return Installation(python, programs / f"napari-tessera{suffix}")


def test_sdist_holds_the_sources_and_one_manifest(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        assert not [member.name for member in archive.getmembers() if member.issym()]
    assert {"LICENSE", "README.md", "pyproject.toml", "tests/conftest.py"} <= names
    assert [name for name in names if name.endswith("napari.yaml")] == [
        "src/napari_tessera/napari.yaml"
    ]


def test_wheel_holds_what_is_read_at_run_time(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as archive:
        names = archive.namelist()
    package = {
        name.removeprefix("napari_tessera/") for name in names if name.startswith("napari_tessera/")
    }
    assert {"__init__.pyi", "napari.yaml", "py.typed"} <= package
    assert [name for name in package if name.endswith(".safetensors")]
    assert not [name for name in names if name.startswith(("tests/", "scripts/"))]


def test_no_qt_binding_comes_along(installation: Installation) -> None:
    code = (
        "from importlib.util import find_spec; "
        "print([n for n in ('PyQt5', 'PyQt6', 'PySide2', 'PySide6') if find_spec(n)])"
    )
    assert run(installation.python, "-c", code).stdout.strip() == "[]"


def test_import_is_light(installation: Installation) -> None:
    code = (
        "import sys, napari_tessera; "
        "print(napari_tessera.__version__, "
        "[n for n in ('torch', 'napari', 'qtpy', 'magicgui') if n in sys.modules])"
    )
    output = run(installation.python, "-c", code).stdout.strip()
    assert output == f"{napari_tessera.__version__} []"


@pytest.fixture(scope="module")
def denoised(
    installation: Installation, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Time series of volumes with two channels, denoised by the installed command."""
    source = shared / "data" / "multidim" / "xyzct-mitosis.tif"
    if not source.is_file():
        pytest.skip(f"{source.name} is not in the shared folder")
    target = tmp_path_factory.mktemp("out") / "mitosis.ome.zarr"
    run(installation.command, "predict", source, target, "--model", "builtin:denoise2d")
    return source, target


def test_installed_command_denoises_a_five_dimensional_stack(denoised: tuple[Path, Path]) -> None:
    source, target = denoised
    noisy = tifffile.imread(source)
    group = zarr.open_group(target, mode="r")
    multiscale = group.attrs["ome"]["multiscales"][0]
    array = group[multiscale["datasets"][0]["path"]]
    axes = "".join(axis["name"] for axis in multiscale["axes"]).upper()
    assert sorted(axes) == sorted("TZCYX")
    pixels = np.asarray(array[...])
    in_order = pixels.transpose([axes.index(letter) for letter in "TZCYX"])
    assert in_order.shape == noisy.shape == (3, 5, 2, 196, 171)
    assert np.isfinite(in_order).all()
    assert in_order.sum(dtype=float) == pytest.approx(noisy.sum(dtype=float), rel=0.01)
    assert not np.array_equal(in_order, noisy)
