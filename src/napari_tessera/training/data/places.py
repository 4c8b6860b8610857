"""Where the patches of a training lie: one for each index and pass, from the seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching import StratifiedPatching
from napari_tessera.training.data.cells import Box
from napari_tessera.training.data.parts import Part
from napari_tessera.training.data.where import Where


@dataclass(frozen=True)
class Place:
    """Where a patch lies: sample (folded), and start along (Z)YX in pixels."""

    sample: int
    coords: tuple[int, ...]


class TrainingPlaces:
    """Patches of the training part, numbered so that those of a part follow one another.

    They are those of `StratifiedPatching`, with each box of the image as an image of its own.
    What chance decides is a function of seed, pass and index.

    Parameters
    ----------
    where : Where
        Cells that patches keep out of, and how often regions are drawn from.
    boxes : sequence of Box
        The image's space, cut into boxes of cells.
    seed : int
        Of the training.
    """

    def __init__(self, where: Where, boxes: Sequence[Box], seed: int) -> None:
        self._samples = where.held.training
        self._seed = seed
        self._bits = np.random.PCG64(seed)
        self._lock = Lock()
        self._boxes = [where.grid.pixels(box) for box in boxes]
        self._patching = StratifiedPatching(
            [
                (len(self._samples), 1, *(stop - start for start, stop in box))
                for box in self._boxes
            ],
            where.grid.patch,
            seed=self._bits,
        )
        self._counts = [self._exclude(where, number, box) for number, box in enumerate(boxes)]
        self._starts = [
            np.concatenate([[0], counts.cumsum()]) + self._patching.get_patch_indices(number).start
            for number, counts in enumerate(self._counts)
        ]

    @property
    def n_patches(self) -> int:
        """Patches of one pass."""
        return self._patching.n_patches

    def ranges(self, parts: Sequence[Part], boxes: Sequence[Box]) -> NDArray[np.int64]:
        """First index of each part and the one after its last: int64 of shape (parts, 2)."""
        number_of = {box: number for number, box in enumerate(boxes)}
        position = {sample: at for at, sample in enumerate(self._samples)}
        found = []
        for part in parts:
            starts = self._starts[number_of[part.cells]]
            first = position[part.samples[0]]
            found.append((starts[first], starts[first + len(part.samples)]))
        return np.array(found, np.int64).reshape(-1, 2)

    def place(self, index: int, of_pass: int, attempt: int = 0) -> Place:
        """Where patch ``index`` of a pass lies; another place at another attempt."""
        seeds = np.random.SeedSequence(self._seed, spawn_key=(0, of_pass, index, attempt))
        state = np.random.PCG64(seeds).state
        with self._lock:
            self._bits.state = state
            spec = self._patching.get_patch_spec(index)
        box = self._boxes[spec["data_idx"]]
        coords = (start + at for (start, _), at in zip(box, spec["coords"], strict=True))
        return Place(self._samples[spec["sample_idx"]], tuple(coords))

    def _exclude(self, where: Where, number: int, box: Box) -> NDArray[np.int64]:
        """Keep patches of a box out of what they may not touch; patches of each sample."""
        cells = tuple(slice(*along) for along in box)
        of_images = self._patching.image_patching[number]
        counts = np.full(len(self._samples), of_images[0].n_patches)
        for at, sample in enumerate(self._samples):
            excluded, probs = where.excluded(sample), where.probabilities(sample)
            if excluded is not None and excluded[cells].any():
                self._patching.exclude_patches(number, at, np.argwhere(excluded[cells]).tolist())
            if probs is not None and (probs[cells] < 1).any():
                own = probs[cells]
                less = map(tuple, np.argwhere(own < 1).tolist())
                self._patching.set_region_probs(
                    number, at, {cell: float(own[cell]) for cell in less}
                )
        for at, _ in enumerate(self._samples):
            counts[at] = of_images[at].n_patches
        return counts
