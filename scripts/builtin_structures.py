"""Generated structures for training the built-in denoisers: what fluorescence images show."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, map_coordinates, rotate, zoom
from scipy.spatial import cKDTree

Image = NDArray[np.float32]

LETTERS = list(
    "eeeeeeeeeeetttttttaaaaaaaooooooniiiiinnnnnsssssrrrrhhhhllldddccuummwwffggyyppbbvvkkxqjz"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:()-"
)


def _unit_range(image: NDArray[np.floating]) -> Image:
    low, high = float(image.min()), float(image.max())
    return ((image - low) / max(high - low, 1e-6)).astype(np.float32)


def _smooth_field(rng: np.random.Generator, size: int, sigma: float) -> Image:
    field = gaussian_filter(rng.standard_normal((size, size)), sigma, mode="wrap")
    return _unit_range(field)


def _deposit(size: int, yx: NDArray[np.floating], weight: NDArray[np.floating]) -> Image:
    """Add points to a grid, each shared between its four nearest pixels."""
    image = np.zeros((size + 1, size + 1), np.float32)
    inside = np.all((yx >= 0) & (yx < size - 1), axis=1)
    yx, weight = yx[inside], weight[inside]
    corner = np.floor(yx).astype(int)
    part = yx - corner
    for dy in (0, 1):
        for dx in (0, 1):
            share = np.abs(1 - dy - part[:, 0]) * np.abs(1 - dx - part[:, 1])
            np.add.at(image, (corner[:, 0] + dy, corner[:, 1] + dx), share * weight)
    return image[:size, :size]


def filaments(rng: np.random.Generator, size: int) -> Image:
    """Return wandering lines of varied brightness (actin, microtubules)."""
    image = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(15, 120))):
        steps = int(rng.integers(200, 1600))
        bend = rng.normal(0, rng.uniform(0.005, 0.06), steps)
        direction = rng.uniform(0, 2 * np.pi) + np.cumsum(gaussian_filter(bend, 10) * 4)
        start = rng.uniform(-0.1 * size, 1.1 * size, 2)
        yx = start + 0.4 * np.cumsum(np.stack([np.sin(direction), np.cos(direction)], 1), 0)
        image += _deposit(size, yx, np.full(steps, rng.lognormal(0, 0.5)))
    return gaussian_filter(image, rng.uniform(0.7, 2.2))


def membranes(rng: np.random.Generator, size: int) -> Image:
    """Return the walls of a cell sheet: where two nearest cell centres are equally far."""
    centres = rng.uniform(0, size, (int(rng.integers(20, 300)), 2))
    grid = np.stack(np.mgrid[:size, :size], -1).astype(float)
    warp = np.stack([_smooth_field(rng, size, 15) - 0.5 for _ in range(2)], -1)
    distance, nearest = cKDTree(centres).query(grid + 20 * warp, k=2)
    wall = np.exp(-(((distance[..., 1] - distance[..., 0]) / rng.uniform(1.5, 5)) ** 2))
    filling = rng.lognormal(-1.5, 0.8, len(centres))[nearest[..., 0]] * rng.uniform(0, 1)
    image = wall * (0.3 + _smooth_field(rng, size, 25)) + filling
    return gaussian_filter(image, rng.uniform(0.7, 2)).astype(np.float32)


def puncta(rng: np.random.Generator, size: int) -> Image:
    """Return spots of several sizes, most of them dim."""
    image = np.zeros((size, size), np.float32)
    for _ in range(3):
        count = int(np.exp(rng.uniform(np.log(20), np.log(1500))))
        sigma = rng.uniform(0.7, 4)
        spots = _deposit(size, rng.uniform(0, size, (count, 2)), rng.lognormal(0, 0.8, count))
        image += gaussian_filter(spots, sigma) * sigma**2
    return image


def nuclei(rng: np.random.Generator, size: int) -> Image:
    """Return textured nuclei with nucleoli in a dimmer, streaked cytoplasm."""
    image = np.zeros((size, size), np.float32)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    warp = [14 * (_smooth_field(rng, size, 12) - 0.5) for _ in range(2)]
    texture = 0.5 + 0.5 * _smooth_field(rng, size, rng.uniform(1.2, 4))
    streaks = 0.2 + _smooth_field(rng, size, rng.uniform(2, 10))
    for _ in range(int(rng.integers(4, 40))):
        centre = rng.uniform(0, size, 2)
        radii = rng.uniform(8, 45) * np.array([1, rng.uniform(0.6, 1)])
        angle = rng.uniform(0, np.pi)
        dy, dx = y + warp[0] - centre[0], x + warp[1] - centre[1]
        u = dy * np.cos(angle) + dx * np.sin(angle)
        v = dx * np.cos(angle) - dy * np.sin(angle)
        radius = np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2)
        body = 1 / (1 + np.exp(np.clip((radius - 1) * rng.uniform(8, 25), -30, 30)))
        cytoplasm = np.exp(-np.clip(radius - 1, 0, None) * rng.uniform(0.8, 3))
        brightness = rng.lognormal(0, 0.4)
        image += brightness * (body * texture + rng.uniform(0, 0.3) * cytoplasm * streaks)
    return gaussian_filter(image, rng.uniform(0.6, 2)).astype(np.float32)


def tissue(rng: np.random.Generator, size: int) -> Image:
    """Return smooth structure of all sizes, folded so that it has ridges and dark gaps."""
    image = np.zeros((size, size), np.float32)
    for sigma in (1.5, 3, 6, 12, 24):
        image += sigma ** rng.uniform(0.3, 1.2) * (_smooth_field(rng, size, sigma) - 0.5)
    ridge = np.abs(image) if rng.random() < 0.5 else np.maximum(image, 0)
    warp = 10 * np.stack([_smooth_field(rng, size, 20) for _ in range(2)])
    folded = map_coordinates(ridge, np.mgrid[:size, :size] + warp, order=1, mode="reflect")
    return gaussian_filter(folded, rng.uniform(0, 1.5)).astype(np.float32)


def cytoplasm(rng: np.random.Generator, size: int) -> Image:
    """Return cells filled with grains, vesicles and a dark nucleus."""
    grid = np.stack(np.mgrid[:size, :size], -1).astype(float)
    warp = np.stack([_smooth_field(rng, size, 18) - 0.5 for _ in range(2)], -1)
    centres = rng.uniform(0, size, (int(rng.integers(5, 40)), 2))
    distance, nearest = cKDTree(centres).query(grid + 40 * warp, k=2)
    level = rng.lognormal(0, 0.7, len(centres))[nearest[..., 0]]
    body = 1 / (1 + np.exp(-np.clip((distance[..., 1] - distance[..., 0] - 4) / 2, -20, 20)))
    nucleus = 1 / (1 + np.exp(-np.clip(distance[..., 0] - rng.uniform(5, 16), -20, 20)))
    grains = _smooth_field(rng, size, rng.uniform(0.6, 3)) ** rng.uniform(1, 4)
    return gaussian_filter(level * body * nucleus * grains, rng.uniform(0.6, 1.5)).astype(
        np.float32
    )


def network(rng: np.random.Generator, size: int) -> Image:
    """Return meshes of threads that branch and meet (mitochondria, reticulum)."""
    field = _smooth_field(rng, size, rng.uniform(2, 7)) + 0.3 * _smooth_field(rng, size, 2)
    lines = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        level = np.percentile(field, rng.uniform(25, 75))
        lines += np.exp(-(((field - level) / rng.uniform(0.01, 0.05)) ** 2))
    mask = _smooth_field(rng, size, rng.uniform(10, 40)) > rng.uniform(0.2, 0.5)
    image = lines * (0.05 + gaussian_filter(mask.astype(np.float32), 3))
    return gaussian_filter(image * (0.4 + _smooth_field(rng, size, 8)), rng.uniform(0.6, 1.8))


def edges(rng: np.random.Generator, size: int) -> Image:
    """Return flat shapes, gratings and glyph-like strokes with sharp or softened edges."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    image = np.full((size, size), rng.random(), np.float32) + rng.uniform(0, 0.3) * x / size
    for _ in range(int(rng.integers(10, 80))):
        centre, angle = rng.uniform(0, size, 2), rng.uniform(0, np.pi)
        u = (y - centre[0]) * np.cos(angle) + (x - centre[1]) * np.sin(angle)
        v = (x - centre[1]) * np.cos(angle) - (y - centre[0]) * np.sin(angle)
        a, b = np.exp(rng.uniform(np.log(1.5), np.log(60), 2))
        kind = rng.integers(3)
        inside = (np.abs(u) < a) & (np.abs(v) < b) if kind else (u / a) ** 2 + (v / b) ** 2 < 1
        if kind == 2:
            value = 0.5 + 0.5 * np.sin(u * 2 * np.pi / rng.uniform(2.5, 20))
            image = np.where(inside, value, image)
        else:
            image = np.where(inside, rng.random(), image)
    return gaussian_filter(image, rng.choice([0.35, 0.6, 1.0, 2.0])).astype(np.float32)


def _surface(rng: np.random.Generator, size: int) -> Image:
    """Return what covers a thing: grain, weave, relief or cloud, as deviations around 0."""
    kind = rng.integers(4)
    if kind == 0:
        grain = rng.standard_normal((size, size))
        made = gaussian_filter(grain, rng.uniform(0.3, 2, 2), mode="wrap")
    elif kind == 1:
        y, x = np.mgrid[:size, :size] + 30 * (_smooth_field(rng, size, 30) - 0.5)
        angles, periods = rng.uniform(0, np.pi, 2), np.exp(rng.uniform(np.log(4), np.log(40), 2))
        waves = [
            np.sin((y * np.cos(a) + x * np.sin(a)) * 2 * np.pi / p)
            for a, p in zip(angles, periods, strict=True)
        ]
        made = waves[0] * (waves[1] if rng.random() < 0.5 else 1)
    else:
        # Real surfaces have spectra that fall as a power of the frequency.
        fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)
        fall = np.maximum(np.hypot(fy, fx), 2 / size) ** -rng.uniform(0.7, 2)
        spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * fall
        made = np.fft.irfft2(spectrum, s=(size, size))
        if kind == 3:
            # Lit from one side.
            made = made - np.roll(made, (int(rng.integers(-2, 3)), int(rng.integers(1, 4))), (0, 1))
    return ((made - made.mean()) / (made.std() + 1e-6)).astype(np.float32)


def _outline(rng: np.random.Generator, radius: float) -> tuple[NDArray[np.bool_], int]:
    """Return a disc, an ellipse, a polygon or a bar in a square of 2 half + 1 px."""
    half = int(radius * 1.1) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    u, v = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
    kind = rng.integers(4)
    if kind == 0:
        return y**2 + x**2 < radius**2, half
    if kind == 1:
        return u**2 + (v / rng.uniform(0.3, 1)) ** 2 < radius**2, half
    if kind == 2:
        return (np.abs(u) < radius) & (np.abs(v) < radius * rng.uniform(0.08, 0.5)), half
    inside = np.ones_like(y, bool)
    for turn in np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8)))):
        inside &= y * np.cos(turn) + x * np.sin(turn) < radius * rng.uniform(0.4, 0.9)
    return inside & (y**2 + x**2 < radius**2), half


def things(rng: np.random.Generator, size: int) -> Image:
    """Return things of all sizes that hide one another, each with a surface and a light of its own.

    The model of dead leaves (Lee, Mumford and Huang, "Occlusion models for natural images", IJCV
    2001): radii fall as their third power, as in photographs of any scene.
    """
    large = 2 * size
    image = np.full((large, large), rng.random(), np.float32)
    surfaces = [_surface(rng, large) for _ in range(4)]
    y, x = np.mgrid[:large, :large].astype(np.float32) / large
    smallest, largest = rng.uniform(4, 16), rng.uniform(60, 300)
    count = int(np.exp(rng.uniform(np.log(100), np.log(1500))))
    share = rng.random(count)
    # The inverse of a distribution that falls as r ** -3 between both ends.
    radii = (smallest**-2 - share * (smallest**-2 - largest**-2)) ** -0.5
    strength = rng.uniform(0, 0.12) if rng.random() < 0.8 else rng.uniform(0, 0.3)
    for radius in radii:
        inside, half = _outline(rng, radius)
        top, left = rng.integers(-half, large, 2)
        bottom, right = top + 2 * half + 1, left + 2 * half + 1
        cut = (slice(max(0, top), min(large, bottom)), slice(max(0, left), min(large, right)))
        part = inside[cut[0].start - top : cut[0].stop - top, cut[1].start - left :]
        part = part[:, : cut[1].stop - cut[1].start]
        slope = rng.normal(0, 0.3, 2)
        value = rng.random() + slope[0] * (y[cut] - y[cut].mean())
        value = value + slope[1] * (x[cut] - x[cut].mean())
        if rng.random() < 0.7:
            surface = surfaces[int(rng.integers(len(surfaces)))]
            value = value * (1 + strength * rng.exponential() * surface[cut])
        image[cut] = np.where(part, value, image[cut])
    image = gaussian_filter(np.clip(image, 0, 1.3), rng.uniform(0.6, 1.6))
    return zoom(image, 0.5, order=1)[:size, :size]


def print_of_words(rng: np.random.Generator, size: int) -> Image:
    """Return lines of print on an unevenly lit ground, in the fonts that matplotlib brings."""
    large = 2 * size
    page = PillowImage.new("L", (large, large), 0)
    pen = ImageDraw.Draw(page)
    height = int(rng.integers(18, 56))
    font = ImageFont.truetype(str(rng.choice(_fonts())), height)
    top = int(rng.integers(-height, height))
    while top < large:
        words = ("".join(rng.choice(LETTERS, rng.integers(1, 11))) for _ in range(40))
        pen.text((int(rng.integers(-60, 20)), top), " ".join(words), fill=255, font=font)
        top += int(height * rng.uniform(1.1, 1.6)) + (height if rng.random() < 0.15 else 0)
    ink = np.asarray(page, np.float32) / 255
    if rng.random() < 0.5:
        turned = rotate(ink, rng.uniform(-20, 20), reshape=False, order=1)
        ink = np.clip(turned, 0, 1)
    ink = zoom(gaussian_filter(ink, rng.uniform(0.7, 2)), 0.5, order=1)[:size, :size]
    ground = 0.4 + 0.6 * _smooth_field(rng, size, rng.uniform(40, 90))
    if rng.random() < 0.5:
        ground = ground * (1 + rng.uniform(0, 0.04) * _surface(rng, size))
    return (ground * (1 - rng.uniform(0.2, 0.95) * ink)).astype(np.float32)


def _fonts() -> list[Path]:
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("matplotlib is missing; install the group 'train'")
    folder = Path(spec.origin).parent / "mpl-data/fonts/ttf"
    return sorted(f for f in folder.glob("DejaVu*.ttf") if "Display" not in f.name)


KINDS = (
    filaments,
    membranes,
    puncta,
    nuclei,
    tissue,
    cytoplasm,
    network,
    edges,
    print_of_words,
    things,
    things,
    print_of_words,
    things,
)
FLUORESCENT = 7


def structure(seed: int, index: int, size: int) -> Image:
    """Return one generated image (size, size) with values 0..1; the same for the same numbers.

    Most hold one kind of structure, some two, over a faint uneven background; bright outliers are
    compressed so that the dim structure keeps part of the range.
    """
    rng = np.random.default_rng((seed, index))
    image = _unit_range(KINDS[index % len(KINDS)](rng, size))
    if index % len(KINDS) < FLUORESCENT and rng.random() < 0.4:
        other = KINDS[int(rng.integers(FLUORESCENT))](rng, size)
        image = image + rng.uniform(0.2, 1) * _unit_range(other)
    image = image + rng.uniform(0, 0.15) * _smooth_field(rng, size, 40)
    if rng.random() < 0.08:
        # Out of focus.
        image = gaussian_filter(image, np.exp(rng.uniform(np.log(2), np.log(8))))
    bright = float(np.percentile(image, rng.uniform(99, 100)))
    image = np.minimum(image / bright, 1 + 0.3 * np.tanh(image / bright - 1))
    return _unit_range(image)
