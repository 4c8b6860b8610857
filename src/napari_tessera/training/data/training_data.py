"""All that a training needs of its images: patches in batches, and the grey levels."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from napari_tessera.prediction.cores import reading_threads
from napari_tessera.stacks import ImageStack
from napari_tessera.training.data.augmenting import choices, turned_pair
from napari_tessera.training.data.normalizing import tensors
from napari_tessera.training.data.order import PatchOrder
from napari_tessera.training.data.preparing import Prepared, prepare
from napari_tessera.training.data.reading import Drawn, InMemory, PatchReader, Streaming
from napari_tessera.training.data.source import Batch, Statistics
from napari_tessera.training.data.summary import summarize, warnings_of
from napari_tessera.training.settings import TrainingSettings

IN_MEMORY = 256 * 2**20
"""Bytes of pixels up to which images are held in memory, in the type that they have."""

_PER_VISIT = {2: 32, 3: 8}
_VISIT_BYTES = 16 * 2**20
_WINDOW_BYTES = 64 * 2**20
_MOST_VISITS = 16


class TrainingData:
    """The patches of a training: a `BatchSource` over image stacks.

    Made by `prepare`.

    Parameters
    ----------
    prepared : Prepared
        What was decided.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self.settings: TrainingSettings = prepared.settings
        """The settings of the training, with patch size, batch size and loss."""
        self.channels: int = prepared.images.shape[1]
        """Channels of the noisy image."""
        self.spatial_dims: int = self.settings.spatial_dims
        """2 where patches are YX, 3 where they are ZYX."""
        self.patches: int = prepared.places.n_patches
        """Patches of one pass over the training part."""
        self.statistics: Statistics = prepared.measured.statistics
        """Of the training part."""
        self.fingerprint: str = prepared.fingerprint
        """Of stack, target, mask, split and statistics."""
        self.held_out: dict[str, list[int]] = prepared.where.held.to_json()
        """Start and stop along the axes on which what is held out is not everything."""
        self.summary: tuple[str, ...] = summarize(prepared)
        """What is going to be learned from, in lines for people."""
        self.warnings: tuple[str, ...] = warnings_of(prepared)
        """Lines of it that are out of the ordinary."""
        patch = prepared.where.grid.patch
        self._ways = choices(patch, self.settings.struct_axis) if self.settings.augment else 1
        self._reader = _reader(prepared)

    @classmethod
    def prepare(
        cls,
        stack: ImageStack,
        settings: TrainingSettings,
        *,
        target: ImageStack | None = None,
        mask: Any = None,
        in_memory: int = IN_MEMORY,
    ) -> TrainingData:
        """Check images, and decide where their patches lie.

        Small images are held in memory. Of others patches are read while training goes on, and
        before it: for the statistics 256 MiB at most, the mask as a whole, and for an estimate of
        the foreground 512 MiB at most.

        Parameters
        ----------
        stack : ImageStack
            The noisy image; stays open and the caller's.
        settings : TrainingSettings
            What is asked for.
        target : ImageStack, optional
            The clean (or a second noisy) image of the same size, for ``"supervised"``.
        mask : array, ImageStack or "foreground", optional
            Where to train: where it is not 0. A cell of a patch's size in which nothing is marked
            is never touched, and where little is marked less is drawn. "foreground" estimates it.
        in_memory : int
            Bytes of pixels up to which images are held in memory.

        Raises
        ------
        TrainingError
            If images, target or mask cannot be trained with; it names value, limit and way out.
        StackReadError
            If pixels cannot be read.
        """
        return cls(prepare(stack, settings, target, mask, in_memory))

    @property
    def validation_patches(self) -> int:
        """Patches for validation."""
        return len(self._prepared.validation)

    def training_batch(self, step: int, batch_size: int) -> Batch:
        """The batch of a step, a function of seed, step and batch size; from any thread.

        Raises
        ------
        TrainingError
            If patch after patch has pixels that are not finite, or after `close`.
        StackReadError
            If pixels cannot be read.
        """
        positions = range(step * batch_size, (step + 1) * batch_size)
        pairs = [
            turned_pair(pair, self._way(position))
            for position, pair in zip(positions, self._reader.read(positions), strict=True)
        ]
        return Batch(*tensors(pairs, self.statistics), step)

    def validation_batches(self, batch_size: int) -> Iterator[Batch]:
        """All patches of the held-out part, the same ones every time, never turned."""
        pairs = self._prepared.validation
        for number, start in enumerate(range(0, len(pairs), batch_size)):
            some = pairs[start : start + batch_size]
            yield Batch(*tensors(some, self.statistics), -1 - number)

    def close(self) -> None:
        """End the threads that read ahead; image stacks stay open."""
        self._reader.close()

    def _way(self, position: int) -> int:
        """How the patch at a position is flipped and turned."""
        if self._ways == 1:
            return 0
        seeds = np.random.SeedSequence(self.settings.seed, spawn_key=(5, position))
        return int(seeds.generate_state(1)[0]) % self._ways


def _reader(prepared: Prepared) -> PatchReader:
    grid, images = prepared.where.grid, prepared.images
    drawn = Drawn(images, prepared.places, grid.patch)
    n, seed = prepared.places.n_patches, prepared.settings.seed
    if prepared.in_memory:
        return InMemory(drawn, PatchOrder(np.array([[0, n]]), seed, n, 1))
    patch_bytes = images.nbytes // prod(images.shape) * images.shape[1] * prod(grid.patch)
    per_visit = max(1, min(_PER_VISIT[len(grid.patch)], _VISIT_BYTES // patch_bytes))
    visits = max(1, min(_MOST_VISITS, _WINDOW_BYTES // (per_visit * patch_bytes)))
    ranges = prepared.places.ranges(prepared.parts, prepared.boxes)
    order = PatchOrder(ranges, seed, per_visit, visits)
    return Streaming(drawn, order, reading_threads(stack=images.noisy))
