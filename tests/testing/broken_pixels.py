"""Stacks whose pixels are wrong, each in one way, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .right import Array, Broken, Right


class TMajor(Right):
    """Samples with T slower than S."""

    def extract_patch(self, sample_idx: int, *args: Any, **kwargs: Any) -> Any:
        frames = self._array.shape[1]
        s, t = sample_idx % self._array.shape[0], sample_idx // self._array.shape[0]
        self.check(sample_idx, None, (0,) * (self._image.ndim - 2), self._image.shape[2:])
        return super().extract_patch(s * frames + t, *args, **kwargs)


class LastSampleOnly(Right):
    """Some reader's handle that always stands at the last sample."""

    def extract_patch(self, sample_idx: int, *args: Any, **kwargs: Any) -> Any:
        self.check(sample_idx, None, (0,) * (self._image.ndim - 2), self._image.shape[2:])
        return super().extract_patch(self._image.shape[0] - 1, *args, **kwargs)


class OffByOne(Right):
    """One pixel too far, where there is one."""

    def extract_patch(self, sample_idx: int, channels: Any, coords: Any, patch_size: Any) -> Any:
        moved = [
            at + 1 if 0 < at + n < length else at
            for at, n, length in zip(coords, patch_size, self._image.shape[2:], strict=False)
        ]
        return super().extract_patch(sample_idx, channels, moved, patch_size)


class WholeUpsideDown(Right):
    """A quicker way for whole planes, which begins at the last row."""

    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        patch = super().extract_patch(*args, **kwargs)
        whole = patch.shape[2:] == self._image.shape[3:]
        return np.array(patch[..., ::-1, :]) if whole else patch


class ShiftedPixel(Right):
    """A patch of a single pixel is taken from the next column."""

    def extract_patch(self, sample_idx: int, channels: Any, coords: Any, patch_size: Any) -> Any:
        if max(patch_size) == 1 and 0 <= coords[-1] < self._image.shape[-1] - 1:
            coords = (*coords[:-1], coords[-1] + 1)
        return super().extract_patch(sample_idx, channels, coords, patch_size)


class SqueezedPixel(Right):
    """Axes of length 1 are lost."""

    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        return super().extract_patch(*args, **kwargs).squeeze()


class PaddedOnTheOtherSide(Right):
    def padded(self, block: Array, margins: list[tuple[int, int]]) -> Array:
        return np.pad(block, [(0, 0), *((after, before) for before, after in margins)])


class EdgeRepeated(Right):
    def padded(self, block: Array, margins: list[tuple[int, int]]) -> Array:
        return np.pad(block, [(0, 0), *margins], mode="edge")


class Clipped(Right):
    """Gives only what is inside."""

    def padded(self, block: Array, margins: list[tuple[int, int]]) -> Array:
        return block


class NegativeWraps(Right):
    """Negative coordinates count from the end, as in NumPy, also of patches wholly outside."""

    def extract_patch(self, sample_idx: int, channels: Any, coords: Any, patch_size: Any) -> Any:
        bounds = zip(coords, patch_size, self._image.shape[2:], strict=False)
        wrapped = [at + length if -length <= at and at + n <= 0 else at for at, n, length in bounds]
        return super().extract_patch(sample_idx, channels, wrapped, patch_size)


class OutsideRefused(Right):
    def extract_patch(self, sample_idx: int, channels: Any, coords: Any, patch_size: Any) -> Any:
        wanted = self.check(sample_idx, channels, coords, patch_size)
        margins = zip(self.margins(coords, patch_size), patch_size, strict=True)
        if any(before >= n for (before, _), n in margins):
            raise ValueError(f"nothing of {wanted} there\nsecond line")
        return super().extract_patch(sample_idx, channels, coords, patch_size)


class ChannelsSorted(Right):
    """As a read of a range of channels would give them."""

    def extract_patch(self, sample_idx: int, channels: Any, *args: Any, **kwargs: Any) -> Any:
        wanted = None if channels is None else sorted(channels)
        return super().extract_patch(sample_idx, wanted, *args, **kwargs)


class ChannelsOnce(Right):
    """A channel asked for twice is there once."""

    def extract_patch(self, sample_idx: int, channels: Any, *args: Any, **kwargs: Any) -> Any:
        wanted = None if channels is None else list(dict.fromkeys(channels))
        return super().extract_patch(sample_idx, wanted, *args, **kwargs)


class TuplesOnly(Right):
    def extract_patch(self, sample_idx: int, channels: Any, coords: Any, patch_size: Any) -> Any:
        hash(coords)  # as a key of a cache
        return super().extract_patch(sample_idx, channels, coords, patch_size)


class TruthOfChannels(Right):
    """Asks an array whether it is true."""

    def extract_patch(self, sample_idx: int, channels: Any, coords: Any, patch_size: Any) -> Any:
        return super().extract_patch(sample_idx, channels or None, coords, patch_size)


class OtherNames(Right):
    def extract_patch(self, sample: int, channels: Any, coords: Any, size: Any) -> Any:  # type: ignore[override]
        return super().extract_patch(sample, channels, coords, size)


BROKEN: dict[str, list[tuple[Broken, str]]] = {
    "whole_samples": [(WholeUpsideDown, "differs in")],
    "sample_order": [
        (TMajor, "samples are S-major"),
        (LastSampleOnly, "samples are S-major"),
    ],
    "patches_inside": [(OffByOne, "differs in .* pixels, first at C=0 Y=0 X=0 .* instead of")],
    "single_pixels": [(ShiftedPixel, "differs in 4 of 4"), (SqueezedPixel, "has shape")],
    "patches_over_edges": [
        (PaddedOnTheOtherSide, "pixels outside the image are zero"),
        (EdgeRepeated, "pixels outside the image are zero"),
        (Clipped, "has shape"),
    ],
    "patches_outside": [
        (NegativeWraps, "pixels outside the image are zero"),
        (OutsideRefused, r"extract_patch\(\d, None, .*\) raised ValueError: nothing of"),
    ],
    "channel_choice": [(ChannelsSorted, "differs in"), (ChannelsOnce, "has shape")],
    "argument_kinds": [
        (TuplesOnly, "raised TypeError: unhashable"),
        (TruthOfChannels, "raised ValueError: The truth value"),
        (OtherNames, "arguments are sample_idx, channels, coords, patch_size"),
    ],
}
"""By the check that must find them."""
