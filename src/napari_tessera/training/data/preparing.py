"""What is decided before a training: what is held out, where patches lie, the grey levels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.stacks import ImageStack
from napari_tessera.training.data.broken import Broken, find_broken
from napari_tessera.training.data.cells import Box, CellGrid
from napari_tessera.training.data.foreground import Foreground
from napari_tessera.training.data.holding_out import HeldOut, Shares, hold_out, samples_held
from napari_tessera.training.data.images import Images, Pair, open_images
from napari_tessera.training.data.marking import MarkedCells
from napari_tessera.training.data.normalizing import tensors
from napari_tessera.training.data.parts import Part, boxes_of, parts_of
from napari_tessera.training.data.places import TrainingPlaces
from napari_tessera.training.data.reading import read_all
from napari_tessera.training.data.room import check_room
from napari_tessera.training.data.source import Statistics
from napari_tessera.training.data.statistics import Measured, measure
from napari_tessera.training.data.validating import validation_places
from napari_tessera.training.data.where import Marked, Where
from napari_tessera.training.errors import TrainingError
from napari_tessera.training.settings import FOREGROUND, TrainingSettings

_HASHED = 32

_FARTHEST = 1e15
"""Deviations from the mean that a grey level may have: squares of more are infinite in float32."""


@dataclass(frozen=True)
class Prepared:
    """A training's data, decided.

    Parameters
    ----------
    settings : TrainingSettings
        With patch and batch size.
    images : Images
        In memory where `in_memory` is true.
    where : Where
        What is held out and kept out of.
    boxes, parts : tuple
        The image cut up; one box where it is in memory.
    places : TrainingPlaces
        Patches of the training part.
    validation : tuple of Pair
        Patches of the held-out part, as they were read.
    measured : Measured
        Grey levels of the training part.
    broken : Broken
        Pixels that are no finite numbers, as far as they were looked for.
    marked_share : float
        Part of the image that is marked, or foreground, 0…1.
    in_memory : bool
        Whether the images are held in memory.
    """

    settings: TrainingSettings
    images: Images
    where: Where
    boxes: tuple[Box, ...]
    parts: tuple[Part, ...]
    places: TrainingPlaces
    validation: tuple[Pair, ...]
    measured: Measured
    broken: Broken
    marked_share: float
    in_memory: bool

    @property
    def fingerprint(self) -> str:
        """Hash of the pixels, of what is held out and kept out of, and of the grey levels."""
        images = self.images
        of = {
            "shape": images.shape,
            "axes": images.layout.axes,
            "types": [
                str(stack.data_dtype)
                for stack in (images.noisy, images.target)
                if stack is not None
            ],
            "pixels": self._pixels(),
            "where": self.where.fingerprint(),
            "statistics": self.measured.statistics.to_json(),
        }
        return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()

    def _pixels(self) -> str:
        """Hash of all pixels of images in memory; of others that of some patches."""
        digest = hashlib.sha256()
        for pair in self.validation:
            _add(digest, pair)
        if self.in_memory:
            for sample in range(self.images.shape[0]):
                zeros = (0,) * len(self.images.space)
                _add(digest, self.images.read(sample, zeros, self.images.space))
            return digest.hexdigest()
        once, n = self.images.once(), self.places.n_patches
        for at in range(min(_HASHED, n)):
            place = self.places.place(at * n // min(_HASHED, n), 0)
            _add(digest, once.read(place.sample, place.coords, self.where.grid.patch))
        return digest.hexdigest()


def prepare(
    stack: ImageStack,
    settings: TrainingSettings,
    target: ImageStack | None,
    mask: Any,
    in_memory: int,
) -> Prepared:
    """Check images, and decide all that a training needs of them (see `TrainingData.prepare`)."""
    images = open_images(stack, target, settings)
    whole = samples_held(images.layout, settings.validation_percent) is not None
    settings = settings.resolved(images.shape, whole_samples=whole)
    check_room(settings, images.shape, whole_samples=whole)
    patch = settings.patch_size
    assert patch is not None
    fits = images.nbytes <= in_memory
    if fits:
        images = images.loaded()
    grid = CellGrid(images.space, patch)
    broken = find_broken(images, grid) if fits else Broken({}, 0, "")
    marked = _marked(mask, images, grid)
    shares, marked_share = _shares(marked, broken, images, grid)
    held = hold_out(images.layout, grid, settings.validation_percent, shares)
    where = Where(grid, held, marked, broken.cells)
    boxes = boxes_of(images, grid, whole=fits)
    parts = tuple(parts_of(images, boxes, held.training))
    places = TrainingPlaces(where, boxes, settings.seed)
    if not places.n_patches:
        raise TrainingError(_nothing_left(marked, broken, held), _to_blame(marked))
    validation = _validation(images, where, settings.seed)
    measured = measure(images, where, parts)
    _check_held_out(validation, measured.statistics, where)
    return Prepared(
        settings,
        images,
        where,
        boxes,
        parts,
        places,
        validation,
        measured,
        broken,
        marked_share,
        fits,
    )


def _marked(mask: Any, images: Images, grid: CellGrid) -> Marked | None:
    if mask is None:
        return None
    if isinstance(mask, str):
        if mask == FOREGROUND:
            return Foreground(images, grid)
        raise TrainingError(
            f"mask {mask!r} is no image; open it first, or use {FOREGROUND!r} for an estimate",
            "mask",
        )
    return MarkedCells(mask, images.layout, grid)


def _shares(
    marked: Marked | None, broken: Broken, images: Images, grid: CellGrid
) -> tuple[Shares | None, float]:
    """How much of each cell can be trained on; None for all of it. And how much is marked."""
    if marked is None and not broken.cells:
        return None, 1.0
    ones = np.ones(grid.shape, np.float32)

    def shares(sample: int) -> NDArray[np.floating[Any]]:
        own = ones if marked is None else marked.shares(sample)
        if marked is not None:
            own = np.where(marked.excluded(sample), 0, own)
        return own * ~broken.cells[sample] if sample in broken.cells else own

    samples = range(images.shape[0])
    usable = np.mean([float(np.mean(shares(sample))) for sample in samples])
    all_marked = 1.0 if marked is None else np.mean([marked.shares(s).mean() for s in samples])
    if not all_marked:
        raise TrainingError(
            "nothing is marked in the mask, so that there is nothing to train on; mark what is to "
            "be learned from",
            "mask",
        )
    if not usable:
        raise TrainingError(_nothing_left(marked, broken, None), _to_blame(marked))
    return shares, float(all_marked)


def _validation(images: Images, where: Where, seed: int) -> tuple[Pair, ...]:
    places = validation_places(where, seed)
    pairs = read_all(images, places, where.grid.patch)
    if places and not pairs:
        raise TrainingError(
            f"every patch of the held-out part ({where.held.text}) has pixels that are NaN or "
            "infinite; replace them in the image, or use validation percent 0",
            "image",
        )
    return tuple(pairs)


def _check_held_out(validation: Sequence[Pair], statistics: Statistics, where: Where) -> None:
    """Raise where what is held out has grey levels from another world than what is trained on."""
    for pair in validation:
        for numbers in tensors([pair], statistics):
            farthest = 0.0 if numbers is None else float(numbers.abs().max())
            if farthest > _FARTHEST:
                raise TrainingError(
                    f"the held-out part ({where.held.text}) has grey levels {farthest:.0e} "
                    f"standard deviations away from those that are trained on, more than "
                    f"{_FARTHEST:.0e}; replace pixels that stand for no data, or use validation "
                    "percent 0",
                    "image",
                )


def _nothing_left(marked: Marked | None, broken: Broken, held: HeldOut | None) -> str:
    beside = f" beside what is held out ({held.text})" if held is not None and held.axes else ""
    reasons = []
    if marked is not None:
        reasons.append("outside the mask")
    if broken.pixels:
        reasons.append(
            f"in reach of {broken.pixels} pixels that are NaN or infinite (the first at "
            f"{broken.first})"
        )
    named = " or ".join(reasons) or "too small"
    ways_out = ["mark more"] * (marked is not None)
    ways_out += ["replace such pixels"] * bool(broken.pixels)
    return (
        f"no patch is left to train on{beside}: all are {named}; {', '.join(ways_out)} or use a "
        "smaller patch size"
    )


def _to_blame(marked: Marked | None) -> str:
    return "image" if marked is None else "mask"


def _add(digest: Any, pair: Pair) -> None:
    for pixels in pair:
        if pixels is not None:
            digest.update(np.ascontiguousarray(pixels))
