"""Patches at random places: fresh ones at every call, or the same ones for the same index."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from math import prod

import numpy as np

from napari_tessera.patching.bins import SampleBins
from napari_tessera.patching.checks import check_data_shapes, check_patch_fits, check_sizes
from napari_tessera.patching.seeds import Seed, random_generator
from napari_tessera.patching.specs_view import SpecsView
from napari_tessera.patching.types import PatchSpecs

_INT64 = 2**63
_ENTROPY_BYTES = 16


def uniform(rng: np.random.Generator, largest: int) -> int:
    """A whole number of 0…``largest``, each as likely as the others, however large.

    Parameters
    ----------
    rng : numpy.random.Generator
        Moved on.
    largest : int
        Included; at least 0.
    """
    if largest < _INT64:
        return int(rng.integers(0, largest, endpoint=True))
    bits = largest.bit_length()
    n_bytes = -(-bits // 8)
    while True:
        drawn = int.from_bytes(rng.bytes(n_bytes), "little") >> (8 * n_bytes - bits)
        if drawn <= largest:
            return drawn


class _RandomPlaces(ABC):
    """What both random strategies share: everything but where the randomness comes from."""

    def __init__(
        self,
        data_shapes: Iterable[Iterable[int]],
        patch_size: Iterable[int],
        seed: Seed = None,
    ) -> None:
        self.data_shapes = check_data_shapes(data_shapes)
        n_spatial = len(self.data_shapes[0]) - 2
        self.patch_size = check_sizes("patch size", patch_size, n_spatial, minimum=1)
        check_patch_fits(self.patch_size, self.data_shapes)
        self._bins = SampleBins(
            (shape[0], prod(-(-s // p) for s, p in zip(shape[2:], self.patch_size, strict=True)))
            for shape in self.data_shapes
        )
        self._start(random_generator(seed))

    @abstractmethod
    def _start(self, rng: np.random.Generator) -> None:
        """Keep what is needed of the seed's generator."""

    @abstractmethod
    def _generator(self, index: int) -> np.random.Generator:
        """Where the coordinates of patch ``index`` are drawn from."""

    @property
    def n_patches(self) -> int:
        """Number of patches: as many as cover every sample of every stack side by side."""
        return self._bins.n_patches

    def get_patch_spec(self, index: int) -> PatchSpecs:
        """Specification of patch ``index``; IndexError outside 0…n_patches−1."""
        data_idx, sample_idx, _ = self._bins.locate(index)
        rng = self._generator(int(index))
        spatial = self.data_shapes[data_idx][2:]
        return PatchSpecs(
            data_idx=data_idx,
            sample_idx=sample_idx,
            coords=tuple(
                uniform(rng, size - patch)
                for size, patch in zip(spatial, self.patch_size, strict=True)
            ),
            patch_size=self.patch_size,
        )

    def get_patch_indices(self, data_idx: int) -> range:
        """Numbers of the patches of image stack ``data_idx``."""
        return self._bins.indices(data_idx)


class RandomPatching(_RandomPlaces):
    """Patches at random places, for training: fresh ones at every call.

    The index fixes the image stack and the sample. The coordinates are uniform on 0…s − p of each
    axis, both ends included, whatever was asked for before. An image stack of S samples has
    S · Π ⌈s/p⌉ patches, s and p being the sizes of image and patch along each spatial axis.

    Several threads may ask at once. A pickled copy goes on from where the original was, so give
    each process a seed of its own.

    Parameters
    ----------
    data_shapes : iterable of iterable of int
        Shape of each image stack, ``SC(Z)YX``.
    patch_size : iterable of int
        Patch size in (Z)YX, in pixels; no image may be smaller.
    seed : Seed, default None
        What ``numpy.random.default_rng`` takes. With the same seed, the same calls in the same
        order give the same patches. A ``Generator`` or ``BitGenerator`` is drawn from as it is.

    Raises
    ------
    ValueError
        Naming the axis, the value and what would do.
    """

    def _start(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def _generator(self, index: int) -> np.random.Generator:
        # NumPy's generators hold their own lock while they draw.
        return self.rng


class FixedRandomPatching(_RandomPlaces):
    """Patches at random places that stay the same, for validation.

    Stack, sample and number of patches are those of `RandomPatching`, the coordinates are as
    uniform, but the same index always gives the same specification, and the same seed the same
    specifications. Nothing is stored per patch: the generator of a patch is seeded by the
    strategy's entropy and the index (``numpy.random.SeedSequence`` with the index as spawn key).

    Parameters
    ----------
    data_shapes : iterable of iterable of int
        Shape of each image stack, ``SC(Z)YX``.
    patch_size : iterable of int
        Patch size in (Z)YX, in pixels; no image may be smaller.
    seed : Seed, default None
        What ``numpy.random.default_rng`` takes, used once, here: with None the patches are fixed
        too, but other ones in each strategy made. Of a ``Generator`` or ``BitGenerator`` 16 bytes
        are drawn, so a second strategy made with it has other patches.

    Raises
    ------
    ValueError
        Naming the axis, the value and what would do.
    """

    def _start(self, rng: np.random.Generator) -> None:
        self._entropy = int.from_bytes(rng.bytes(_ENTROPY_BYTES), "little")

    @property
    def fixed_patch_specs(self) -> Sequence[PatchSpecs]:
        """All specifications in order, each made when it is asked for."""
        return SpecsView(self)

    def _generator(self, index: int) -> np.random.Generator:
        # PCG64 by name: default_rng may take another bit generator in a later NumPy.
        seeds = np.random.SeedSequence(self._entropy, spawn_key=(index,))
        return np.random.Generator(np.random.PCG64(seeds))
