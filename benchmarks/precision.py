"""How far half precision is from float32, for the built-in model and those in a shared folder.

    python -m benchmarks.precision ../shared
    python -m benchmarks.precision ../shared --device cuda

Each model denoises an image of its own kind, as `predict` does it by default, once in float32 on
the CPU and once in each half precision on the device. The range is that of the float32 output.
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PRECISIONS = ("bfloat16", "float16")
SIGMA = 25
LARGEST = 256
"""Pixels along Y and X that are denoised at most."""


@dataclass(frozen=True)
class Case:
    """A model, and an image of the kind it was made for."""

    name: str
    model: str
    image: Callable[[], NDArray[Any]]


def with_noise(path: Path) -> NDArray[Any]:
    """A clean 8-bit picture with Gaussian noise, as DnCNN was trained on, in 0…1."""
    from PIL import Image

    with Image.open(path) as picture:
        clean = np.asarray(picture.convert("L"), dtype=np.float32)
    noise = np.random.default_rng(0).normal(0, SIGMA, clean.shape)
    return ((clean + noise) / 255).astype(np.float32)


def loaded(path: Path) -> Callable[[], NDArray[Any]]:
    """The plane of an array on disk, read when it is wanted."""

    def read() -> NDArray[Any]:
        array = np.load(path)
        return array.reshape(array.shape[-2:]).astype(np.float32)

    return read


def cases(shared: Path) -> Iterator[Case]:
    """Every model there is, those of the folder by their files."""
    import tifffile

    fish = shared / "data" / "pairs" / "fish_noisy.tif"
    yield Case("builtin:denoise2d", "builtin:denoise2d", lambda: tifffile.imread(fish))
    for folder in sorted((shared / "models").iterdir()):
        image = next(
            (loaded(folder / name) for name in ("input.npy", "test_input.npy")
             if (folder / name).is_file()),
            lambda: tifffile.imread(fish),
        )  # fmt: skip
        for file in sorted(folder.iterdir()):
            if file.suffix in (".ckpt", ".zip"):
                yield Case(f"{folder.name}/{file.name}", str(file), image)
            elif file.suffix == ".pth":
                picture = next(folder.glob("*.png"))
                yield Case(f"{folder.name}/{file.name}", str(file), lambda p=picture: with_noise(p))
            elif file.name in ("bioimageio.yaml", "rdf.yaml"):
                yield Case(folder.name, str(folder), image)


def difference(case: Case, device: str, precision: str) -> tuple[float, float, float, float] | str:
    """Largest and RMS difference in grey levels, and both as shares of the range.

    Why it does not run in this precision, where it does not.
    """
    from napari_tessera import load_model, predict

    image = case.image()[:LARGEST, :LARGEST]
    try:
        full = predict(image, load_model(case.model, device="cpu", precision="float32"))
        half = predict(image, load_model(case.model, device=device, precision=precision))
    except (ValueError, RuntimeError) as error:
        return " ".join(str(error).split())[:120]
    apart = np.abs(half.astype(np.float64) - full.astype(np.float64))
    across = float(full.max() - full.min())
    largest, rms = float(apart.max()), math.sqrt(float((apart**2).mean()))
    return largest, rms, largest / across, rms / across


def main() -> None:
    """Print one row per model and precision, as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path, help="folder with data/ and models/")
    parser.add_argument("--device", default="cpu", help="where half precision runs")
    options = parser.parse_args()
    if not (options.shared / "models").is_dir():
        sys.exit(f"{options.shared} has no folder models: give the folder with data/ and models/")
    print("| model | precision | largest | RMS | largest, of the range | RMS, of the range |")
    print("|---|---|--:|--:|--:|--:|")
    for case in cases(options.shared):
        for precision in PRECISIONS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = difference(case, options.device, precision)
            cells = (
                f"{found} | | |"
                if isinstance(found, str)
                else f"{found[0]:.3g} | {found[1]:.2g} | {found[2]:.2%} | {found[3]:.3%}"
            )
            print(f"| {case.name} | {precision} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
