"""Figures of docs/explanation/when-not-to-denoise.md: where a denoised image misleads."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from napari_tessera import load_model, open_stack, plan_prediction
from napari_tessera.models import Model
from napari_tessera.prediction import run_prediction
from napari_tessera.prediction.checks import CheckReadings, CheckWriter
from napari_tessera.training import TrainingSettings, train
from napari_tessera.widgets.sample_images import Camera
from napari_tessera.writing import ArrayWriter

Numbers = NDArray[np.float64]

CAMERA = Camera(offset=100.0, gain=2.2, read_noise=1.6)

LINES = Path(__file__).with_name("figures_lines.safetensors")
"""A model that has seen nothing but lines: `python scripts/figures.py --train` makes it anew."""

SPOTS = (8, 16, 32, 64, 128, 256)
"""Photons of a spot, a row each."""

PITCH, PER_ROW, WIDTH = 40, 24, 1.3
"""Distance of spots and their deviation, px, and how many of each brightness there are."""

GROUND = 5.0
"""Photons of the background in each pixel."""


@cache
def builtin() -> Model:
    """The built-in network for planes, on the CPU."""
    return load_model("builtin:denoise2d", device="cpu")


def denoised(image: NDArray[Any], model: Model) -> tuple[Numbers, CheckReadings]:
    """What a model makes of a plane, and what the check strip says of it."""
    stack = open_stack(image, "YX")
    plan = plan_prediction(stack, model, statistics="exact")
    made = np.full(image.shape, np.nan, np.float32)
    checks = CheckWriter()
    run_prediction(
        plan, stack, model, writers=[(ArrayWriter(made, plan.region), "."), (checks, ".")]
    )
    return made.astype(np.float64), checks.readings()


def photons(levels: NDArray[Any]) -> Numbers:
    """Grey levels of the camera in photons."""
    return (levels.astype(np.float64) - CAMERA.offset) / CAMERA.gain


@cache
def faint() -> dict[str, Any]:
    """Spots of known brightness, as they were, recorded, and denoised."""
    spots = np.zeros((PITCH * len(SPOTS), PITCH * PER_ROW))
    y, x = np.mgrid[: spots.shape[0], : spots.shape[1]]
    shape = np.exp(
        -((y % PITCH - PITCH // 2) ** 2 + (x % PITCH - PITCH // 2) ** 2) / (2 * WIDTH**2)
    ) / (2 * np.pi * WIDTH**2)
    clean = GROUND + np.asarray(SPOTS)[y // PITCH] * shape
    noisy = CAMERA.record(clean.astype(np.float32), np.random.default_rng(3))
    made, readings = denoised(noisy, builtin())
    return {"clean": clean, "noisy": noisy, "made": made, "readings": readings}


def light(image: Numbers) -> Numbers:
    """Photons of each spot, ground taken off: within 4.5 px, less the mean of 9 to 18 px around."""
    cut = image.reshape(len(SPOTS), PITCH, PER_ROW, PITCH).swapaxes(1, 2)
    away = np.hypot(*(np.mgrid[:PITCH, :PITCH] - PITCH // 2))
    inside, around = away <= 4.5, (away > 9) & (away < 18)
    ground = cut[..., around].mean(axis=-1, keepdims=True)
    found: Numbers = (cut[..., inside] - ground).sum(axis=-1)
    return found


def faint_numbers() -> dict[str, Any]:
    found = faint()
    raw, made = light(photons(found["noisy"])), light(photons(found["made"]))
    numbers: dict[str, Any] = {"spots_of_each": PER_ROW}
    for row, n in enumerate(SPOTS):
        numbers[f"spot_{n}"] = {
            "input": float(raw[row].mean()),
            "input_std": float(raw[row].std(ddof=1)),
            "denoised": float(made[row].mean()),
            "denoised_std": float(made[row].std(ddof=1)),
        }
    return numbers | _strip(found["readings"])


def _strip(readings: CheckReadings) -> dict[str, Any]:
    return {
        "strip": [f"{row.name}: {row.text}" for row in readings.rows()],
        "all_good": all(row.good for row in readings.rows()),
    }


def lines(size: int, rng: np.random.Generator, number: int | None = None) -> Numbers:
    """Photons of bent threads on an even ground."""
    made = np.zeros((size, size))
    for _ in range(number or size * size // 1500):
        angle, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.012)
        at = rng.uniform(0, size, 2)
        for _ in range(int(rng.uniform(40, 120))):
            iy, ix = np.round(at).astype(int)
            if 0 <= iy < size and 0 <= ix < size:
                made[iy, ix] = 1
            angle += bend
            at += np.sin(angle), np.cos(angle)
    made = gaussian_filter(made, 1.1)
    return GROUND + 14 * made / made.max()


def dots(size: int, rng: np.random.Generator) -> Numbers:
    """Photons of spots on the same ground."""
    made = np.zeros((size, size))
    at = rng.integers(8, size - 8, (size * size // 900, 2))
    made[at[:, 0], at[:, 1]] = rng.uniform(0.4, 1, len(at))
    made = gaussian_filter(made, WIDTH)
    return GROUND + 14 * made / made.max()


def train_lines() -> None:
    """Train the model that knows nothing but lines, with the package itself."""
    rng = np.random.default_rng(21)
    clean = np.stack([lines(256, rng) for _ in range(8)])
    noisy = np.stack([CAMERA.record(plane.astype(np.float32), rng) for plane in clean])
    settings = TrainingSettings(
        method="supervised",
        steps=500,
        depth=2,
        features=8,
        batch_size=8,
        patch_size=(64, 64),
        precision="float32",
        ema=0.99,
    )
    target = CAMERA.expected(clean.astype(np.float32))
    train(
        open_stack(noisy, "SYX"),
        LINES,
        target=open_stack(target, "SYX"),
        settings=settings,
        device="cpu",
        overwrite=True,
    )


THREAD = 8
"""Length from which on a piece that stands out is called a thread, px."""


def threads(made: Numbers) -> tuple[int, NDArray[np.bool_]]:
    """Connected pixels 1.5 photons above the ground that reach over `THREAD` px and more."""
    above = made > GROUND + 1.5
    pieces, number = label(above, np.ones((3, 3)))
    kept = np.zeros(number + 1, bool)
    for piece in range(1, number + 1):
        ys, xs = np.nonzero(pieces == piece)
        kept[piece] = np.hypot(np.ptp(ys), np.ptp(xs)) >= THREAD
    return int(kept.sum()), kept[pieces]


@cache
def invented() -> dict[str, Any]:
    """A model that was trained on lines, on lines, on dots, and on nothing at all."""
    model = load_model(LINES, device="cpu")
    rng = np.random.default_rng(5)
    scenes = {
        "lines": lines(256, rng),
        "dots": dots(256, rng),
        "nothing": np.full((256, 256), GROUND + 1.0),
    }
    found: dict[str, Any] = {}
    for name, clean in scenes.items():
        noisy = CAMERA.record(clean.astype(np.float32), rng)
        made, readings = denoised(noisy, model)
        other, _ = denoised(noisy, builtin())
        found[name] = {
            "clean": clean,
            "noisy": photons(noisy),
            "made": photons(made),
            "builtin": photons(other),
            "readings": readings,
        }
    return found


def invented_numbers() -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    for name, found in invented().items():
        numbers[name] = {
            "true_threads": threads(found["clean"])[0],
            "threads": float(threads(found["made"])[0]),
            "builtin_threads": float(threads(found["builtin"])[0]),
            "error": _rms(found["made"] - found["clean"]),
            "builtin_error": _rms(found["builtin"] - found["clean"]),
            "input_error": _rms(found["noisy"] - found["clean"]),
            **_strip(found["readings"]),
        }
    return numbers


def _rms(values: Numbers) -> float:
    return float(np.sqrt((values**2).mean()))


@cache
def error_bars() -> dict[str, Any]:
    """How far the mean of a small area scatters, and how far its pixels make one believe."""
    rng = np.random.default_rng(17)
    noisy = CAMERA.record(np.full((960, 960), 20, np.float32), rng)
    made, _ = denoised(noisy, builtin())
    found = {}
    for name, image in (("input", photons(noisy)), ("denoised", photons(made))):
        areas = image.reshape(60, 16, 60, 16).swapaxes(1, 2)[1:-1, 1:-1, 3:13, 3:13]
        flat = areas.reshape(-1, 100)
        found[name] = {
            "scatter": float(flat.mean(axis=1).std(ddof=1)),
            "believed": float(flat.std(axis=1, ddof=1).mean() / 10),
            "variance_over_mean": float(flat.var() / flat.mean()),
        }
    return found


def error_bar_numbers() -> dict[str, Any]:
    found = error_bars()
    return {**found, "factor": found["denoised"]["scatter"] / found["denoised"]["believed"]}


def _blobs(size: int, rng: np.random.Generator) -> Numbers:
    made = gaussian_filter(rng.normal(size=(size, size)), 3)
    made = np.maximum(made / made.std() - 0.5, 0)
    return 3 + 6 * made


@cache
def colocalization() -> dict[str, Any]:
    """Pearson's correlation of two channels, with shared light, and as far as none is shared."""
    rng = np.random.default_rng(31)
    one, other = _blobs(384, rng), _blobs(384, rng)
    found: dict[str, Any] = {}
    for name, share in (("none", 0.0), ("half", 0.5)):
        pair = one, share * one + (1 - share) * other
        recorded = [CAMERA.record(each.astype(np.float32), rng) for each in pair]
        again = [CAMERA.record(each.astype(np.float32), rng) for each in pair]
        made = [denoised(each, builtin())[0] for each in recorded]
        found[name] = {
            "true": _pearson(*pair),
            "input": _pearson(*recorded),
            "denoised": _pearson(*made),
            "corrected": _corrected(recorded, again),
        }
    return found


def _pearson(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(np.corrcoef(one.ravel().astype(float), other.ravel().astype(float))[0, 1])


def _corrected(first: list[Any], second: list[Any]) -> float:
    """Adler, Pagakis and Parmryd's correction, from two shots of both channels."""
    across = np.mean([_pearson(a, b) for a in (first[0], second[0]) for b in (first[1], second[1])])
    own = _pearson(first[0], second[0]) * _pearson(first[1], second[1])
    return float(across / np.sqrt(own))


NUMBERS = {
    "faint": faint_numbers,
    "invented": invented_numbers,
    "error_bars": error_bar_numbers,
    "colocalization": colocalization,
}
