"""Numbers of patches over the samples of an image stack, few of which differ from the rest."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from napari_tessera.patching.stratified.sample import StratifiedSample


class SampleNumbering:
    """Patches of an image stack, numbered sample by sample.

    Costs as much as there are changed samples, not as there are samples.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    plain : StratifiedSample
        What every sample is that was not changed; it has at least one patch.
    changed : mapping from int to StratifiedSample
        The other samples by their number.
    """

    def __init__(
        self, n_samples: int, plain: StratifiedSample, changed: Mapping[int, StratifiedSample]
    ) -> None:
        self._plain = plain
        self._changed = [(number, changed[number]) for number in sorted(changed)]
        self._per_sample = plain.shares.n_patches
        self._starts = []
        shift = 0
        for number, sample in self._changed:
            self._starts.append(number * self._per_sample + shift)
            shift += sample.shares.n_patches - self._per_sample
        self.n_patches = n_samples * self._per_sample + shift

    def locate(self, within: int) -> tuple[int, StratifiedSample, int]:
        """Number of the sample of a patch, that sample, and the patch's number within it.

        Parameters
        ----------
        within : int
            Number of the patch within the image stack, 0…n_patches − 1.
        """
        # The last changed sample that starts no later; samples without patches start where the
        # next one does.
        i = bisect_right(self._starts, within) - 1
        if i < 0:
            number, index = divmod(within, self._per_sample)
            return number, self._plain, index
        number, sample = self._changed[i]
        index = within - self._starts[i]
        n = sample.shares.n_patches
        if index < n:
            return number, sample, index
        further, index = divmod(index - n, self._per_sample)
        return number + 1 + further, self._plain, index
