"""Photographs for training the built-in denoisers, from packages of the group ``train``.

Nothing is downloaded. ``camera``, ``coins``, ``moon``, ``page`` and ``cell`` of scikit-image are
kept for judging and never appear here, nor does the ``camera`` of PyWavelets.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom
from skimage.io import imread

Image = NDArray[np.float32]

PACKAGED = {
    "skimage": (
        "data/astronaut.png",
        "data/brick.png",
        "data/chelsea.png",
        "data/clock_motion.png",
        "data/coffee.png",
        "data/grass.png",
        "data/gravel.png",
        "data/hubble_deep_field.jpg",
        "data/ihc.png",
        "data/motorcycle_left.png",
        "data/motorcycle_right.png",
        "data/phantom.png",
        "data/retina.jpg",
        "data/rocket.jpg",
        "data/text.png",
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
    "pywt": ("data/ascent.npz", "data/aero.npz"),
    "matplotlib": (
        "mpl-data/sample_data/grace_hopper.jpg",
        "mpl-data/sample_data/jacksboro_fault_dem.npz",
    ),
    "mahotas": (
        "demos/data/nuclear.png",
        "demos/data/luispedro.jpg",
    ),
}
SCALES = (1.0, 0.8, 0.66, 0.55, 0.45, 0.37)
NOISY_ORIGINALS = ("nuclear.png",)
SMALLEST_SIDE = 104
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def packaged_files() -> list[Path]:
    """Return the files of `PACKAGED`, found without importing the packages they come in.

    Raises
    ------
    ModuleNotFoundError
        If a package is not installed.
    """
    files: list[Path] = []
    for package, names in PACKAGED.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{package} is missing; install the group 'train'")
        files += [Path(spec.origin).parent / name for name in names]
    return files


def _planes(file: Path) -> list[Image]:
    """Return a picture as grey, and as its three colours where it has any; values 0..1."""
    if file.suffix == ".npz":
        with np.load(file) as archive:
            values = archive[archive.files[0]]
    else:
        values = imread(file)
    if values.dtype == np.uint8:
        picture = np.asarray(values, np.float32) / 255
    else:
        # Heights, not grey levels.
        low, high = float(values.min()), float(values.max())
        picture = ((values - low) / (high - low)).astype(np.float32)
    if picture.ndim == 2:
        return [picture]
    picture = picture[..., :3]
    return [picture @ LUMA, *(picture[..., colour] for colour in range(3))]


def photographs() -> list[list[Image]]:
    """Return for each file its grey images (Y, X) with values 0..1, at several scales.

    Smaller scales carry less of the camera's own noise and finer structure per pixel. Single
    colours, noisier than their sum, come at smaller scales only.
    """
    return [_versions(file) for file in packaged_files()]


def _versions(file: Path) -> list[Image]:
    result: list[Image] = []
    for index, plane in enumerate(_planes(file)):
        for scale in SCALES:
            if scale > 0.6 and (index > 0 or file.name in NOISY_ORIGINALS):
                continue
            smooth = gaussian_filter(plane, 0.45 * (1 / scale - 1) + 1e-3)
            small = smooth if scale == 1 else zoom(smooth, scale, order=1)
            if min(small.shape) >= SMALLEST_SIDE:
                result.append(np.clip(small, 0, 1).astype(np.float32))
    return result
