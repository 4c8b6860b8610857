"""What people install: the built wheel, in a fresh environment that holds no Qt binding.

`tox -e release` names the folder of what it will publish; otherwise sdist and wheel are built here.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile
import zarr

ROOT = Path(__file__).parents[1]
BUILT = "NAPARI_TESSERA_DIST"
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


def run(
    *command: str | Path, timeout: float = RUN_SECONDS, **variables: str
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT.anchor,
        env=clean_environment() | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert result.returncode == 0, f"{command} failed:\n{result.stdout}\n{result.stderr}"
    return result


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_dist = load_script("check_dist")


@dataclass(frozen=True)
class Distributions:
    sdist: Path
    wheel: Path

    @property
    def version(self) -> str:
        return self.wheel.name.split("-")[1]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The sdist, and the wheel built from that sdist."""
    if BUILT in os.environ:
        folder = Path(os.environ[BUILT])
    else:
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


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone: git knows no files")
def test_distributions_hold_what_git_knows_and_nothing_else(distributions: Distributions) -> None:
    told = check_dist.faults(distributions.wheel.parent)
    # who works on something has new files: only a release is refused for these
    assert [fault for fault in told if "which git does not track" not in fault] == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone: git knows no files")
def test_what_is_missing_or_too_much_is_told(distributions: Distributions, tmp_path: Path) -> None:
    """The check itself: a wheel without weights but with tests, an sdist with a link."""
    wheel = tmp_path / distributions.wheel.name
    weights = "napari_tessera/models/weights/denoise2d.safetensors"
    with zipfile.ZipFile(distributions.wheel) as source, zipfile.ZipFile(wheel, "w") as target:
        for name in source.namelist():
            if name != weights:
                target.writestr(name, source.read(name))
        target.writestr("tests/test_a.py", "")
    sdist = tmp_path / distributions.sdist.name
    with tarfile.open(sdist, "w:gz") as archive:
        link = tarfile.TarInfo("napari_tessera-1/napari.yaml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    told = check_dist.faults(tmp_path)
    assert f"{wheel.name} lacks {weights}" in told
    assert f"{wheel.name} holds tests/test_a.py" in told
    assert f"{sdist.name} holds the link napari_tessera-1/napari.yaml" in told
    assert f"{sdist.name} lacks src" in told


@pytest.mark.weekly
def test_no_qt_binding_comes_along(installation: Installation) -> None:
    code = (
        "from importlib.util import find_spec; "
        "print([n for n in ('PyQt5', 'PyQt6', 'PySide2', 'PySide6') if find_spec(n)])"
    )
    assert run(installation.python, "-c", code).stdout.strip() == "[]"


def test_import_is_light(installation: Installation, distributions: Distributions) -> None:
    code = (
        "import sys, napari_tessera; "
        "print(napari_tessera.__version__, 'site-packages' in napari_tessera.__file__, "
        "[n for n in ('torch', 'napari', 'qtpy', 'magicgui') if n in sys.modules])"
    )
    output = run(installation.python, "-c", code).stdout.strip()
    assert output == f"{distributions.version} True []"


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Counts of photons in a few discs, as a camera with 12 bits gives them."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:200, :231]
    clean = sum(60 * ((y - b) ** 2 + (x - a) ** 2 < 400) for a, b in rng.integers(20, 180, (9, 2)))
    path = tmp_path_factory.mktemp("made") / "noisy.tif"
    pixels = (100 + 3 * rng.poisson(clean + 20)).astype(np.uint16)
    tifffile.imwrite(path, pixels, imagej=True, resolution=(4, 4), metadata={"unit": "um"})
    return path


def test_installed_command_tells_version_image_and_models(
    installation: Installation, distributions: Distributions, noisy: Path
) -> None:
    told = run(installation.command, "--version").stdout
    assert told.split() == ["napari-tessera", distributions.version]
    told = run(installation.command, "info", noisy).stdout
    assert "200" in told
    assert "231" in told
    assert "uint16" in told
    told = run(installation.command, "models", "list").stdout
    assert {"builtin:denoise2d", "builtin:denoise3d"} <= set(told.split())


def test_wheel_and_checkout_give_the_same_pixels(installation: Installation, noisy: Path) -> None:
    """Code and weights of the wheel against those of the sources, under the same libraries."""
    words = ("--model", "builtin:denoise2d", "--device", "cpu", "--threads", "1")
    results = {}
    for name, variables in (("wheel", {}), ("sources", {"PYTHONPATH": str(ROOT / "src")})):
        target = noisy.with_name(f"{name}.npy")
        run(installation.command, "predict", noisy, target, *words, **variables)
        results[name] = np.load(target)
    where = "import napari_tessera; print(napari_tessera.__file__)"
    read = run(installation.python, "-c", where, PYTHONPATH=str(ROOT / "src")).stdout.strip()
    assert Path(read).is_relative_to(ROOT / "src")
    np.testing.assert_array_equal(results["wheel"], results["sources"])
    before = tifffile.imread(noisy).astype(np.float64)
    assert results["wheel"].shape == before.shape
    assert results["wheel"].std() < before.std()
    assert results["wheel"].sum(dtype=float) == pytest.approx(before.sum(), rel=0.01)


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
