"""Figures of docs/explanation/exact-tiling.md: what they are computed from, and the numbers."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.models import Model
from napari_tessera.patching import TiledPatching
from napari_tessera.patching.windows import AxisWindows
from napari_tessera.widgets.sample_images import Camera, cells

Floats = NDArray[np.float32]

PATCH = 160
"""Size of the tiles of the seams, px: the image has 480."""

WAYS = {
    "none": (0, 1),
    "short": (24, 4),
    "off_period": (82, 1),
}
"""Tilings that seam: total overlap in px, and what tile starts are multiples of."""


@cache
def model() -> Model:
    """The built-in network for planes, on the CPU."""
    return load_model("builtin:denoise2d", device="cpu")


@cache
def noisy(size: int = 480) -> NDArray[np.uint16]:
    """Generated cells as a camera records them."""
    return Camera().record(cells(size), np.random.default_rng(4))


def run(pixels: Floats, network: Any = None) -> Floats:
    """One plane through a network."""
    with torch.inference_mode():
        made: Floats = (network or model())(torch.from_numpy(pixels)[None, None])[0, 0].numpy()
    return made


def levels(pixels: NDArray[Any], mean: float, std: float) -> Floats:
    """Grey levels as the network wants them."""
    return ((pixels - mean) / std).astype(np.float32)


def tiled(
    pixels: Floats, network: Any, patch: int, overlap: int, alignment: int, own: bool = False
) -> Floats:
    """A plane tile by tile, cores cut from the middle, as software does that asks nothing.

    With ``own`` each tile is scaled by its own mean and deviation.
    """
    grid = TiledPatching([(1, 1, *pixels.shape)], (patch, patch), (overlap, overlap), alignment)
    out = np.full(pixels.shape, np.nan, np.float32)
    for spec in grid.tile_specs:
        (y, x), (height, width) = spec["coords"], spec["patch_size"]
        tile = pixels[y : y + height, x : x + width]
        mean, std = (float(tile.mean()), float(tile.std())) if own else (0.0, 1.0)
        made = run(levels(tile, mean, std), network) * np.float32(std) + np.float32(mean)
        (cy, cx), (h, w), (sy, sx) = spec["crop_coords"], spec["crop_size"], spec["stitch_coords"]
        out[sy : sy + h, sx : sx + w] = made[cy : cy + h, cx : cx + w]
    return out


def borders(size: int, patch: int, overlap: int, alignment: int = 1) -> list[int]:
    """First pixel of each core but the first, along an axis."""
    axis = TiledPatching([(1, 1, size, size)], (patch,) * 2, (overlap,) * 2, alignment).axes(0)[0]
    return [axis.tile(i)[3] for i in range(1, axis.n)]


@cache
def seams() -> dict[str, Any]:
    """Differences of tiled results from that of the whole image, in grey levels."""
    image = noisy()
    mean, std = float(image.mean()), float(image.std())
    scaled = levels(image, mean, std)
    whole = run(scaled)
    found: dict[str, Any] = {"image": image, "whole": whole * std + mean}
    for name, (overlap, alignment) in WAYS.items():
        found[name] = (tiled(scaled, model(), PATCH, overlap, alignment) - whole) * std
    stack = open_stack(image, "YX")
    once = plan_prediction(stack, model(), patch_size=image.shape, statistics="exact")
    plan = plan_prediction(stack, model(), patch_size=PATCH, statistics="exact")
    one = predict(stack, model(), plan=once)
    found["exact"] = predict(stack, model(), plan=plan) - one
    found["plan"] = plan
    short = plan_prediction(stack, model(), patch_size=PATCH, overlaps=24, statistics="exact")
    found["warnings"] = short.warnings
    blended = predict(stack, model(), patch_size=PATCH, overlaps=24, blending="linear")
    found["short_blended"] = blended - one
    return found


def seam_numbers() -> dict[str, Any]:
    found = seams()
    image, plan = found["image"], found["plan"]
    # what the network takes away is noise: seams are to be compared with it
    removed = float((image - found["whole"]).std())
    numbers: dict[str, Any] = {
        "reach": model().info.reach[0],
        "period": model().info.period[0],
        "patch": PATCH,
        "automatic_overlap": plan.overlaps[0],
        "removed_std": removed,
        "range": float(np.ptp(found["whole"])),
        "exact_rounding": float(np.abs(found["exact"]).max() / np.ptp(found["whole"])),
    }
    for name in (*WAYS, "short_blended"):
        numbers[f"{name}_largest"] = float(np.abs(found[name]).max())
    return numbers


@cache
def overlap_curve() -> dict[str, Any]:
    """The largest seam by overlap, for starts on multiples of the period and off them."""
    image = noisy(256)
    mean, std = float(image.mean()), float(image.std())
    scaled = levels(image, mean, std)
    whole, patch = run(scaled), 128
    on, off = list(range(0, 97, 8)), [82, 90]

    def largest(overlap: int) -> float:
        made = tiled(scaled, model(), patch, overlap, 1)
        return float(np.abs(made - whole).max()) * std

    return {
        "overlaps": on,
        "largest": [largest(overlap) for overlap in on],
        "off_overlaps": off,
        "off_largest": [largest(overlap) for overlap in off],
        "range": float(np.ptp(whole)) * std,
    }


def overlap_numbers() -> dict[str, Any]:
    found = overlap_curve()
    first = next(i for i, o in enumerate(found["overlaps"]) if o >= 2 * model().info.reach[0])
    numbers: dict[str, Any] = {
        f"overlap_{o}": value
        for o, value in zip(found["overlaps"][:first], found["largest"], strict=False)
    }
    numbers["first_exact_overlap"] = found["overlaps"][first]
    numbers["enough_rounding"] = max(found["largest"][first:]) / found["range"]
    for o, value in zip(found["off_overlaps"], found["off_largest"], strict=True):
        numbers[f"off_period_{o}"] = value
    return numbers


@cache
def influence() -> dict[str, Any]:
    """How far one input pixel is felt, and how this repeats."""
    size, reach, period = 160, model().info.reach[0], model().info.period[0]
    image = noisy(256)[:size, :size]
    scaled = levels(image, float(image.mean()), float(image.std()))
    plain, middle = run(scaled), size // 2
    changed = scaled.copy()
    changed[middle, middle] += 1
    felt = np.abs(run(changed) - plain)
    spans = []
    for phase in range(3 * period):
        one = np.zeros((32, size), np.float32)
        one[16, middle + phase] = np.nan
        columns = np.flatnonzero(np.isnan(run(one)).any(axis=0))
        spans.append((int(columns[0]) - middle - phase, int(columns[-1]) - middle - phase))
    moved = []
    inside = slice(2 * reach, size - reach)
    for shift in range(2 * period + 1):
        shifted = run(np.roll(scaled, shift, axis=1))
        moved.append(float(np.abs(np.roll(plain, shift, axis=1) - shifted)[:, inside].max()))
    at = np.hypot(*(np.mgrid[:size, :size] - middle))
    order = np.argsort(at, axis=None)
    share = np.cumsum(felt.ravel()[order]) / felt.sum()
    far = at.ravel()[order]
    return {
        "felt": felt[middle - 48 : middle + 49, middle - 48 : middle + 49],
        "spans": spans,
        "moved": [m * float(image.std()) for m in moved],
        "half": float(far[np.searchsorted(share, 0.5)]),
        "most": float(far[np.searchsorted(share, 0.99)]),
        "own": float(felt[middle, middle]),
        "edge": float(felt[middle, middle - reach : middle - reach + 4].max()),
    }


def influence_numbers() -> dict[str, Any]:
    found, period = influence(), model().info.period[0]
    off = [m for s, m in enumerate(found["moved"]) if s % period]
    on = [m for s, m in enumerate(found["moved"]) if not s % period]
    return {
        "spans": [list(span) for span in found["spans"][:period]],
        "repeats": found["spans"][:period] == found["spans"][period : 2 * period],
        "radius_of_99_percent": found["most"],
        "own_share": found["own"],
        "moved_off_period": max(off),
        "moved_on_period_rounding": max(on) / float(np.ptp(seams()["whole"])),
    }


class Threshold(nn.Module):
    """A blur, and of what it took away as much as is beyond a fixed threshold.

    It stands for networks with biases: what it does depends on how its input was scaled. With
    ``own_numbers`` it scales its input itself, as instance norm does.
    """

    def __init__(self, threshold: float = 1.0, own_numbers: bool = False) -> None:
        super().__init__()
        at = torch.arange(-6.0, 7.0)
        weights = torch.exp(-(at**2) / 8)
        weights = torch.outer(weights, weights)
        self.register_buffer("weights", (weights / weights.sum())[None, None])
        self.threshold, self.own_numbers = threshold, own_numbers

    def forward(self, x: Tensor) -> Tensor:
        if self.own_numbers:
            spread = x.std((2, 3), correction=0, keepdim=True) + 1e-6
            x = (x - x.mean((2, 3), keepdim=True)) / spread
        weights: Any = self.weights
        around = nn.functional.pad(x, (6, 6, 6, 6), mode="replicate")
        blurred = nn.functional.conv2d(around, weights)
        made: Tensor = blurred + nn.functional.softshrink(x - blurred, self.threshold)
        return made


@cache
def statistics() -> dict[str, Any]:
    """One grey-level range for the image against one for each tile."""
    image = noisy().astype(np.float32)
    mean, std = float(image.mean()), float(image.std())
    found: dict[str, Any] = {"image": image}
    for name, network in (("threshold", Threshold()), ("builtin", model())):
        whole = tiled(levels(image, mean, std), network, 160, 80, 4) * std + mean
        each = tiled(image, network, 160, 80, 4, own=True)
        found[name] = {"whole": whole, "each": each, "apart": each - whole}
    return found


def statistics_numbers() -> dict[str, Any]:
    found = statistics()
    wide = float(np.ptp(found["builtin"]["whole"]))
    return {
        "threshold_largest": float(np.abs(found["threshold"]["apart"]).max()),
        "threshold_rms": float(np.sqrt((found["threshold"]["apart"] ** 2).mean())),
        "builtin_rounding": float(np.abs(found["builtin"]["apart"]).max()) / wide,
    }


@cache
def blending() -> dict[str, Any]:
    """A network that looks at all of its input, cut and faded."""
    image = noisy()
    network = Threshold(own_numbers=True)
    found: dict[str, Any] = {"info": load_model(network).info}
    for kind in ("crop", "linear"):
        stack = open_stack(image, "YX")
        plan = plan_prediction(stack, network, patch_size=160, overlaps=64, blending=kind)
        found[kind] = predict(stack, network, plan=plan)
        found["borders"] = borders(480, 160, 64, plan.alignment[0])
    found["whole"] = predict(open_stack(image, "YX"), network, patch_size=480)
    return found


def blending_numbers() -> dict[str, Any]:
    found = blending()
    numbers: dict[str, Any] = {"is_global": found["info"].reach is None}
    for kind in ("crop", "linear"):
        apart = found[kind] - found["whole"]
        steps = np.abs(np.diff(apart, axis=1))[:, [b - 1 for b in found["borders"]]]
        numbers[f"{kind}_step"] = float(steps.mean())
        numbers[f"{kind}_rms"] = float(np.sqrt((apart**2).mean()))
    return numbers


def partition() -> dict[str, Any]:
    """Tiles along one axis: what is read, what is kept, and weights."""
    size, patch, overlap = 300, 128, 48
    axis = TiledPatching([(1, 1, 64, size)], (64, patch), (0, overlap), (1, 4)).axes(0)[1]
    tiles = [axis.tile(i) for i in range(axis.n)]
    weights = {}
    for kind in ("linear", "gaussian"):
        windows = AxisWindows(axis, 12, kind)
        weights[kind] = [
            np.where(_meets(windows, i, size), windows.weights(i, 0, size), 0)
            for i in range(axis.n)
        ]
    return {"axis": axis, "size": size, "tiles": tiles, "weights": weights}


def _meets(windows: AxisWindows, tile: int, size: int) -> NDArray[np.bool_]:
    start, stop = windows.support(tile)
    at = np.arange(size)
    return (at >= start) & (at < stop)


def partition_numbers() -> dict[str, Any]:
    found = partition()
    cores = [(stitch, stitch + kept) for _, _, kept, stitch in found["tiles"]]
    return {
        "starts": [start for start, *_ in found["tiles"]],
        "cores": [list(core) for core in cores],
        "weights_off_one_rounding": max(
            float(np.abs(np.sum(weights, axis=0) - 1).max())
            for weights in found["weights"].values()
        ),
    }


NUMBERS = {
    "seams": seam_numbers,
    "overlap": overlap_numbers,
    "influence": influence_numbers,
    "statistics": statistics_numbers,
    "blending": blending_numbers,
    "partition": partition_numbers,
}
