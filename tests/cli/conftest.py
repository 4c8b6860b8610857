"""The command line in this process, and small real files for it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import yaml
from numpy.typing import NDArray

from napari_tessera.cli import run


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on stderr."""
        lines = self.err.splitlines()
        assert len(lines) == 1, f"one line expected on stderr, not:\n{self.err}"
        return lines[0]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run ``napari-tessera`` with the words given."""

    def call(*words: str | Path) -> Outcome:
        capfd.readouterr()
        status = run([str(word) for word in words])
        out, err = capfd.readouterr()
        return Outcome(status, out, err)

    return call


@pytest.fixture(autouse=True)
def _one_torch_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def picture() -> Callable[..., NDArray[Any]]:
    """Make a noisy image of a shape and dtype that is not zero or saturated anywhere."""

    def make(shape: tuple[int, ...], dtype: Any = np.uint16, seed: int = 0) -> NDArray[Any]:
        return np.random.default_rng(seed).integers(20, 120, shape).astype(dtype)

    return make


@pytest.fixture
def volume(tmp_path: Path, picture: Callable[..., NDArray[Any]]) -> Path:
    """A calibrated ZYX stack, 3×70×90 uint16."""
    path = tmp_path / "volume.tif"
    tifffile.imwrite(
        path,
        picture((3, 70, 90)),
        imagej=True,
        resolution=(4.0, 4.0),
        metadata={"axes": "ZYX", "spacing": 1.5, "unit": "um"},
    )
    return path


@pytest.fixture
def save_torchscript(tmp_path: Path) -> Callable[[torch.nn.Module, str], Path]:
    """Save a module as a TorchScript file, without the warning that this is old."""

    def save(module: torch.nn.Module, name: str = "model.pt") -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.script(module.eval()).save(str(tmp_path / name))
        return tmp_path / name

    return save


class Blur(torch.nn.Module):
    """A 3×3 mean over space; as many channels out as in."""

    def __init__(self, channels: int = 1, *, padding: int = 1) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(
            channels, channels, 3, padding=padding, groups=channels, bias=False
        )
        torch.nn.init.constant_(self.layer.weight, 1 / 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


@pytest.fixture
def blur_model(save_torchscript: Callable[[torch.nn.Module, str], Path]) -> Path:
    """A 2D one-channel TorchScript file that looks 1 px around each pixel."""
    return save_torchscript(Blur(), "blur.pt")


@pytest.fixture
def package(blur_model: Path, tmp_path: Path) -> Callable[..., Path]:
    """A BioImage.IO package of the blur; its own test fails by ``wrong``."""

    def make(name: str = "package", *, wrong: float = 0.0) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "weights.pt").write_bytes(blur_model.read_bytes())
        given = np.random.default_rng(1).normal(100, 10, (1, 1, 32, 40)).astype(np.float32)
        with torch.no_grad():
            made = Blur()(torch.from_numpy(given)).numpy()
        np.save(folder / "given.npy", given)
        np.save(folder / "made.npy", made + np.float32(wrong))

        def tensor(file: str) -> dict[str, str]:
            sha256 = hashlib.sha256((folder / file).read_bytes()).hexdigest()
            return {"source": file, "sha256": sha256}

        space = [{"type": "space", "id": letter} for letter in "yx"]
        outside = [{"type": "batch"}, {"type": "channel", "channel_names": ["signal"]}]
        description = {
            "type": "model",
            "format_version": "0.5.4",
            "name": "Mean of nine",
            "license": "CC-BY-4.0",
            "authors": [{"name": "Ada Lovelace"}, {"name": "Charles Babbage"}],
            "cite": [{"text": "Notes, 1843", "doi": "10.1000/xyz123"}],
            "inputs": [
                {
                    "id": "raw",
                    "axes": [*outside, *(axis | {"size": {"min": 8, "step": 4}} for axis in space)],
                    "test_tensor": tensor("given.npy"),
                }
            ],
            "outputs": [
                {
                    "id": "mean",
                    "axes": [
                        *outside,
                        *(
                            axis | {"size": {"tensor_id": "raw", "axis_id": axis["id"]}}
                            for axis in space
                        ),
                    ],
                    "test_tensor": tensor("made.npy"),
                }
            ],
            "weights": {"torchscript": {"source": "weights.pt", "pytorch_version": "2.13.0"}},
        }
        (folder / "rdf.yaml").write_text(yaml.safe_dump(description))
        return folder

    return make
