"""Stacks that hand out, keep, share or accept what they must not, and what is said of them."""

from __future__ import annotations

from threading import Barrier, BrokenBarrierError
from typing import Any

import numpy as np

from .right import Array, Broken, Right


class GivesMasked(Right):
    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        return np.ma.MaskedArray(super().extract_patch(*args, **kwargs))


class GivesLists(Right):
    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        return super().extract_patch(*args, **kwargs).tolist()


class GivesFloats(Right):
    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        return super().extract_patch(*args, **kwargs).astype("float64")


class GivesBigEndian(Right):
    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        return super().extract_patch(*args, **kwargs).astype(self.data_dtype.newbyteorder(">"))


class GivesFortran(Right):
    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        return np.asfortranarray(super().extract_patch(*args, **kwargs))


class GivesReadOnly(Right):
    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        patch = super().extract_patch(*args, **kwargs)
        patch.flags.writeable = False
        return patch


class GivesViews(Right):
    """Slices of the image itself, where no padding is needed."""

    def extract_patch(self, sample_idx: int, channels: Any, coords: Any, patch_size: Any) -> Any:
        if channels is None and not np.any(self.margins(coords, patch_size)):
            self.check(sample_idx, channels, coords, patch_size)
            bounds = zip(coords, patch_size, strict=True)
            space = tuple(slice(int(at), int(at + n)) for at, n in bounds)
            return self._image[(sample_idx, slice(None), *space)]
        return super().extract_patch(sample_idx, channels, coords, patch_size)


class GivesItsCache(Right):
    """Keeps a copy of what it decoded last, and hands out that copy."""

    def __init__(self, array: Array) -> None:
        super().__init__(array)
        self._kept: dict[Any, Array] = {}

    def extract_patch(self, sample_idx: int, channels: Any, coords: Any, patch_size: Any) -> Any:
        key = repr((sample_idx, channels, coords, patch_size))
        if key not in self._kept:
            self._kept[key] = super().extract_patch(sample_idx, channels, coords, patch_size)
        return self._kept[key]


class GivesViewsOfItsCache(GivesItsCache):
    """As above, but a new view each time, with a turn between two copies."""

    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        kept = super().extract_patch(*args, **kwargs)
        self._turn = not getattr(self, "_turn", False)
        return kept.copy() if self._turn else kept[...]


class MovesItsArguments(Right):
    """Turns coords into those inside the image, in the caller's own list."""

    def extract_patch(self, sample_idx: int, channels: Any, coords: Any, patch_size: Any) -> Any:
        patch = super().extract_patch(sample_idx, channels, coords, patch_size)
        if isinstance(coords, list):
            coords[:] = [max(at, 0) for at in coords]
        return patch


class Drifts(Right):
    """Each read of what was read before is one grey value brighter."""

    def __init__(self, array: Array) -> None:
        super().__init__(array)
        self._before: Any = None

    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        patch = super().extract_patch(*args, **kwargs)
        again, self._before = repr(args) == self._before, repr(args)
        return patch + np.asarray(again, patch.dtype)


class ForgetsItsShape(Right):
    """Remembers the last patch's shape where the image's belongs."""

    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        patch = super().extract_patch(*args, **kwargs)
        self.original_data_shape = patch.shape
        return patch


class SharesItsPosition(Right):
    """Seeks and reads in two steps that another reader may come between, as one file handle does.

    Two readers wait for each other between the steps; one that is alone waits in vain, and reads
    what it wanted.
    """

    def __init__(self, array: Array) -> None:
        super().__init__(array)
        self._position: Any = None
        self._meeting = Barrier(2)

    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        self._position = args or tuple(kwargs.values())
        try:
            self._meeting.wait(timeout=0.005)
        except BrokenBarrierError:
            self._meeting.reset()
        return super().extract_patch(*self._position)


class FailsWhereThreadsMeet(Right):
    """A library's handle that refuses a second reader."""

    def __init__(self, array: Array) -> None:
        super().__init__(array)
        self._meeting = Barrier(2)

    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        try:
            self._meeting.wait(timeout=0.005)
        except BrokenBarrierError:
            self._meeting.reset()
            return super().extract_patch(*args, **kwargs)
        raise RuntimeError("the handle is in use")


class SamplesWrap(Right):
    def extract_patch(self, sample_idx: int, *args: Any, **kwargs: Any) -> Any:
        return super().extract_patch(sample_idx % self._image.shape[0], *args, **kwargs)


class OneSampleTooMany(Right):
    def extract_patch(self, sample_idx: int, *args: Any, **kwargs: Any) -> Any:
        last = self._image.shape[0] - 1
        sample = last if sample_idx == last + 1 else sample_idx
        return super().extract_patch(sample, *args, **kwargs)


class SamplesRefusedAsValues(Right):
    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().extract_patch(*args, **kwargs)
        except IndexError as error:
            raise ValueError(str(error)) from error


class ChannelsWrap(Right):
    def extract_patch(self, sample_idx: int, channels: Any, *args: Any, **kwargs: Any) -> Any:
        count = self._image.shape[1]
        wanted = None if channels is None else [channel % count for channel in channels]
        return super().extract_patch(sample_idx, wanted, *args, **kwargs)


class FirstChannelChecked(Right):
    def extract_patch(self, sample_idx: int, channels: Any, *args: Any, **kwargs: Any) -> Any:
        count = self._image.shape[1]
        if channels is not None:
            channels = [channels[0], *(channel % count for channel in channels[1:])]
        return super().extract_patch(sample_idx, channels, *args, **kwargs)


class LengthsIgnored(Right):
    def extract_patch(self, sample_idx: int, channels: Any, coords: Any, patch_size: Any) -> Any:
        space = self._image.ndim - 2
        return super().extract_patch(sample_idx, channels, coords[:space], patch_size[:space])


class SizesIgnored(Right):
    def extract_patch(self, sample_idx: int, channels: Any, coords: Any, patch_size: Any) -> Any:
        sizes = [max(n, 1) for n in patch_size]
        return super().extract_patch(sample_idx, channels, coords, sizes)


BROKEN: dict[str, list[tuple[Broken, str]]] = {
    "result_kind": [
        (GivesMasked, "is a MaskedArray, not a plain ndarray"),
        (GivesLists, "gave a list instead of a NumPy array"),
        (GivesFloats, "has dtype float64 instead of uint16"),
        (GivesBigEndian, "has dtype >u2 instead of uint16"),
        (GivesFortran, "is not C-contiguous"),
        (GivesReadOnly, "is read-only"),
    ],
    "own_memory": [
        (GivesViews, "gave the same memory twice"),
        (GivesItsCache, "gave the same memory twice"),
        (GivesViewsOfItsCache, "after another result was written to"),
    ],
    "no_side_effects": [
        (MovesItsArguments, "changed its arguments"),
        (Drifts, "differs when read again"),
        (ForgetsItsShape, "original_data_shape was .* after reading"),
    ],
    "concurrent_reads": [
        (SharesItsPosition, "while 4 threads read|instead of"),
        (FailsWhereThreadsMeet, "raised RuntimeError: the handle is in use"),
    ],
    "refused_samples": [
        (SamplesWrap, r"extract_patch\(-1, .* was read instead of raising IndexError"),
        (OneSampleTooMany, r"extract_patch\(6, .* was read instead of raising IndexError"),
        (SamplesRefusedAsValues, "raised ValueError: sample -1 instead of IndexError"),
    ],
    "refused_channels": [
        (ChannelsWrap, r"extract_patch\(0, \(-1,\), .* was read instead of raising IndexError"),
        (FirstChannelChecked, r"extract_patch\(0, \(0, -1\), .* instead of raising IndexError"),
    ],
    "refused_sizes": [
        (LengthsIgnored, "was read instead of raising ValueError: coords"),
        (SizesIgnored, "was read instead of raising ValueError: every size is at least 1"),
    ],
}
"""By the check that must find them."""
