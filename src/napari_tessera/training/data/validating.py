"""Patches for validation: the same ones every time, all of them in the held-out part."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from napari_tessera.patching import FixedRandomPatching, PatchSpecs
from napari_tessera.training.data.where import Where
from napari_tessera.training.errors import TrainingError

MOST_PIXELS = 2**20
"""Pixels of all patches together, about: a validation is to take as long as a few steps."""

MOST_PATCHES = 256
"""However small they are."""

Spot = tuple[int, tuple[int, ...]]
"""Sample (folded), and start along (Z)YX in pixels."""

_FEWEST = 32
_TRIED = 8


def validation_places(where: Where, seed: int) -> list[Spot]:
    """Where the patches for validation lie.

    They are those of `FixedRandomPatching` over the held-out part; where these are few, those of
    several, so that the loss of a blind-spot network has enough pixels to be judged by. Where only
    some of the image is trained on, they are those with at least half as much of it as the part has
    on average.

    Parameters
    ----------
    where : Where
        What is held out, and what is marked.
    seed : int
        Of the training.

    Returns
    -------
    list of (int, tuple of int)
        Sample (folded), and start along (Z)YX in pixels, in random order; none where nothing is
        held out.

    Raises
    ------
    TrainingError
        If nothing that is marked is held out.
    """
    held, grid = where.held, where.grid
    if not held.samples:
        return []
    box = grid.pixels(held.cells or tuple((0, n) for n in grid.shape))
    shape = (len(held.samples), 1, *(stop - start for start, stop in box))
    most = max(8, min(MOST_PATCHES, MOST_PIXELS // prod(grid.patch)))
    places, marked = [], []
    for spec in _specs(shape, grid.patch, seed, most, 1 if where.marked is None else _TRIED):
        sample = held.samples[spec["sample_idx"]]
        coords = tuple(start + c for (start, _), c in zip(box, spec["coords"], strict=True))
        places.append((sample, coords))
        if where.marked is not None:
            marked.append(float(where.marked.shares(sample)[grid.touched(coords)].mean()))
    if where.marked is None:
        return _mixed(places, seed)
    least = max(float(np.mean(marked)) / 2, 1e-9)
    kept = [place for place, share in zip(places, marked, strict=True) if share >= least]
    if not kept:
        raise TrainingError(
            "too little is marked in the mask to hold some of it out; mark more, or use validation "
            "percent 0",
            "mask",
        )
    most = min(len(kept), most)
    return _mixed([kept[at * len(kept) // most] for at in range(most)], seed)


def _mixed(places: list[Spot], seed: int) -> list[Spot]:
    """In random order, so that the first ones stand for all of them."""
    seeds = np.random.SeedSequence(seed, spawn_key=(6,))
    order = np.random.Generator(np.random.PCG64(seeds)).permutation(len(places))
    return [places[at] for at in order.tolist()]


def _specs(
    shape: tuple[int, ...], patch: tuple[int, ...], seed: int, most: int, tried: int
) -> Iterator[PatchSpecs]:
    """Patches of the held-out part, evenly spread: a bounded number of them."""
    rounds = 0
    left = min(most, _FEWEST) * tried
    while left > 0:
        seeds = np.random.SeedSequence(seed, spawn_key=(4, rounds))
        patching = FixedRandomPatching([shape], patch, seed=seeds)
        n = patching.n_patches
        some = min(n, most * tried)
        yield from (patching.get_patch_spec(at * n // some) for at in range(some))
        left -= some
        rounds += 1
