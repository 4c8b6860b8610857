"""Patches drawn evenly over the image, with parts of it left out or drawn less."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from threading import Lock
from typing import Any, NamedTuple

from napari_tessera.patching.bins import checked_index, locate, stack_indices
from napari_tessera.patching.checks import check_data_shapes, check_patch_fits, check_sizes
from napari_tessera.patching.lazy_sequence import LazySequence
from napari_tessera.patching.seeds import Seed, random_generator
from napari_tessera.patching.stratified.coords import probabilities, region_numbers
from napari_tessera.patching.stratified.grid import RegionGrid
from napari_tessera.patching.stratified.image import StratifiedImage
from napari_tessera.patching.stratified.numbering import SampleNumbering
from napari_tessera.patching.stratified.sample import StratifiedSample
from napari_tessera.patching.types import PatchSpecs

# Tables of regions take 10 bytes a region, those of packed shares more than ten times that.
_MOST_LISTED = 5 * 10**7
_MOST_GRADED = 10**7


class _Numbering(NamedTuple):
    bins: tuple[int, ...]
    stacks: tuple[SampleNumbering, ...]


class StratifiedPatching:
    """Patches at random places, spread evenly, for training; parts can be excluded.

    Each index draws from a sampling region: twice the patch size, on a grid of spacing p, the
    patch size, from 0, clipped to the image, s // p of them along an axis of size s. Over an epoch,
    one patch for each index, every pixel at least p from the image's borders is selected once in
    expectation. So are the pixels of all samples on average, but for n, Π s/p for a sample, being
    rounded up: what is added lies at borders only.

    * Along an axis every start has 1/p patches, and (p − 1)/p, those of the starts that would lie
      outside, are split between both ends. Where no pixel is p away from both ends, s ≤ 2p, all
      starts are alike. So no start is drawn much more often than the others; see `StratifiedAxis`.
    * No patch holds a pixel of an excluded cell, the pixels g·p … g·p + p − 1. Pixels in cells that
      do not touch an excluded one are still selected once. n falls by what the region weighed: by
      1 away from borders; see `RegionGrid`.
    * A region with a probability q is drawn from q times as often as it is at 1, relative to the
      other regions; with q = 0, never, though patches of the regions before it reach into its
      cell. `GradedShares` says how many patches that makes.

    Small shares of regions are packed into one index; so one index may draw from several regions,
    and one region be drawn from by several indices.

    Several threads may ask at once, and while regions are changed: a patch asked for after a
    change follows it. A copy of any kind shares nothing with the original and goes on from where
    that was, so give each process a seed of its own.

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
        self.rng = random_generator(seed)
        plain = {
            spatial: StratifiedSample(RegionGrid(spatial, self.patch_size))
            for spatial in {shape[2:] for shape in self.data_shapes}
        }
        self._plain = tuple(plain[shape[2:]] for shape in self.data_shapes)
        self._changed: tuple[dict[int, StratifiedSample], ...] = tuple({} for _ in self.data_shapes)
        self._lock = Lock()
        self._numbering: _Numbering | None = None

    def __copy__(self) -> StratifiedPatching:
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            changed = tuple(dict(samples) for samples in self._changed)
        return {
            "data_shapes": self.data_shapes,
            "patch_size": self.patch_size,
            "rng": self.rng,
            "_plain": self._plain,
            "_changed": changed,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=Lock(), _numbering=None)

    @property
    def n_patches(self) -> int:
        """Number of patches over all image stacks."""
        return self._numbered().bins[-1]

    def get_patch_spec(self, index: int) -> PatchSpecs:
        """Specification of a fresh patch for an index; IndexError outside 0…n_patches−1."""
        bins, stacks = self._numbered()
        data_idx, within = locate(bins, index)
        sample_idx, sample, number = stacks[data_idx].locate(within)
        return PatchSpecs(
            data_idx=data_idx,
            sample_idx=sample_idx,
            coords=sample.draw(number, self.rng),
            patch_size=self.patch_size,
        )

    def get_patch_indices(self, data_idx: int) -> range:
        """Numbers of the patches of image stack ``data_idx``."""
        return stack_indices(self._numbered().bins, data_idx)

    @property
    def image_patching(self) -> Sequence[Sequence[StratifiedImage]]:
        """Grid shape and number of patches of each sample: ``[data_idx][sample_idx]``."""

        def sample(data_idx: int, sample_idx: int) -> StratifiedImage:
            of = self._sample(data_idx, sample_idx)
            return StratifiedImage(of.grid.shape, of.shares.n_patches)

        return LazySequence(
            len(self.data_shapes),
            lambda data_idx: LazySequence(self.data_shapes[data_idx][0], partial(sample, data_idx)),
        )

    def get_all_grid_coords(self) -> dict[tuple[int, int], list[tuple[int, ...]]]:
        """Grid coordinates of all regions, excluded or not.

        Returns
        -------
        dict from tuple of int to list of tuple of int
            (Z)YX each, in C order, by (data_idx, sample_idx). The region at grid coordinate g
            starts at pixel g·p, p being the patch size.

        Raises
        ------
        ValueError
            If a sample has more than 5·10⁷ regions.
        """
        return self._grid_coords(lambda data_idx, sample_idx: self._plain[data_idx])

    def get_included_grid_coords(self) -> dict[tuple[int, int], list[tuple[int, ...]]]:
        """Grid coordinates of all regions but the excluded ones, as in `get_all_grid_coords`."""
        return self._grid_coords(self._sample)

    def exclude_patches(
        self, data_idx: int, sample_idx: int, grid_coords: Iterable[Sequence[int]]
    ) -> None:
        """Never again give a patch of a sample that overlaps certain cells.

        The number of patches is counted anew, so indices may mean other patches than before.

        Parameters
        ----------
        data_idx, sample_idx : int
            Image stack and sample.
        grid_coords : iterable of sequence of int
            (Z)YX each: grid coordinate g is for the pixels g·p … g·p + p − 1, p being the patch
            size.

        Raises
        ------
        IndexError
            If there is no such image stack or sample.
        ValueError
            Naming the coordinates that are off the grid, or the number of regions of the sample,
            if it is more than 5·10⁷; nothing is excluded then.
        """
        data_idx, sample_idx = self._checked(data_idx, sample_idx)
        self._check_table(data_idx, _MOST_LISTED, "excluded")
        regions = region_numbers(grid_coords, self._plain[data_idx].grid.shape)
        if len(regions):
            self._change(data_idx, sample_idx, lambda sample: sample.excluding(regions))

    def set_region_probs(
        self, data_idx: int, sample_idx: int, probs: Mapping[tuple[int, ...], float]
    ) -> None:
        """Draw less from certain regions of a sample.

        The number of patches is counted anew, so indices may mean other patches than before.
        Excluded cells stay excluded. A region of probability 0 counts like an excluded one, but
        patches of the regions before it may reach into its cell.

        Parameters
        ----------
        data_idx, sample_idx : int
            Image stack and sample.
        probs : mapping from tuple of int to float
            By grid coordinates in (Z)YX, how often to draw from a region, relative to what it is
            by default: 0 (never) … 1 (as often). Regions that are not named keep theirs.

        Raises
        ------
        IndexError
            If there is no such image stack or sample.
        KeyError
            Naming the coordinates that are off the grid; nothing is set then.
        TypeError
            If ``probs`` is no mapping.
        ValueError
            If a probability is not finite or not in 0…1, or the sample has more than 10⁷
            regions; nothing is set then.
        """
        data_idx, sample_idx = self._checked(data_idx, sample_idx)
        self._check_table(data_idx, _MOST_GRADED, "given probabilities")
        regions, values = probabilities(probs, self._plain[data_idx].grid.shape)
        if len(regions):
            self._change(data_idx, sample_idx, lambda sample: sample.with_probs(regions, values))

    def _checked(self, data_idx: int, sample_idx: int) -> tuple[int, int]:
        data_idx = checked_index("image stack", data_idx, len(self.data_shapes))
        return data_idx, checked_index("sample", sample_idx, self.data_shapes[data_idx][0])

    def _check_table(self, data_idx: int, most: int, what: str) -> None:
        """Refuse what needs a table of the regions of a sample where there are too many."""
        n_regions = self._plain[data_idx].grid.size
        if n_regions > most:
            raise ValueError(
                f"a sample of image stack {data_idx} has {n_regions} regions, more than the {most} "
                f"that can be {what}: use larger patches, or cut the image into parts"
            )

    def _sample(self, data_idx: int, sample_idx: int) -> StratifiedSample:
        return self._changed[data_idx].get(sample_idx, self._plain[data_idx])

    def _change(
        self,
        data_idx: int,
        sample_idx: int,
        change: Callable[[StratifiedSample], StratifiedSample],
    ) -> None:
        with self._lock:
            self._changed[data_idx][sample_idx] = change(self._sample(data_idx, sample_idx))
            self._numbering = None

    def _numbered(self) -> _Numbering:
        # One object for all that a call reads: a change in the meantime makes another one.
        numbering = self._numbering
        if numbering is None:
            with self._lock:
                numbering = self._numbering
                if numbering is None:
                    stacks = tuple(
                        SampleNumbering(shape[0], plain, changed)
                        for shape, plain, changed in zip(
                            self.data_shapes, self._plain, self._changed, strict=True
                        )
                    )
                    bins = tuple(accumulate(stack.n_patches for stack in stacks))
                    numbering = self._numbering = _Numbering(bins, stacks)
        return numbering

    def _grid_coords(
        self, sample: Callable[[int, int], StratifiedSample]
    ) -> dict[tuple[int, int], list[tuple[int, ...]]]:
        # Samples that are alike share their tuples; every list is the caller's own.
        coords: dict[StratifiedSample, list[tuple[int, ...]]] = {}
        by_sample = {}
        for data_idx, shape in enumerate(self.data_shapes):
            self._check_table(data_idx, _MOST_LISTED, "listed")
            for sample_idx in range(shape[0]):
                of = sample(data_idx, sample_idx)
                if of not in coords:
                    coords[of] = of.included
                by_sample[data_idx, sample_idx] = coords[of].copy()
        return by_sample
