"""Clean patches for training the built-in denoisers, drawn from photographs and a changing pool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Make = Callable[[int], NDArray[np.float32]]


class Pool:
    """Generated images of which a few are replaced now and then.

    What it holds follows from how many were ever made, so that training that is resumed sees what
    it would have seen. Images are kept as float16.

    Parameters
    ----------
    make : callable
        Gives the image of an index, always the same one.
    shape : tuple of int
        Of every image.
    count : int
        Images held at a time.
    file : Path or None
        Where they are kept between runs; what is missing there is made again.
    """

    def __init__(
        self, make: Make, shape: tuple[int, ...], count: int, file: Path | None = None
    ) -> None:
        self._make, self.count = make, count
        if file is None:
            self._images = np.zeros((count, *shape), np.float16)
            self._made = np.full(count, -1, np.int64)
            return
        self._images = _kept(file, (count, *shape), np.float16, 0)
        self._made = _kept(file.with_suffix(".made.npy"), (count,), np.int64, -1)

    def advance(self, first: int) -> None:
        """Hold the images `first` to `first` + count, making those that are not there."""
        for index in range(first, first + self.count):
            place = index % self.count
            if self._made[place] != index:
                # A kill in between leaves a place that counts as empty.
                self._made[place] = -1
                self._images[place] = self._make(index)
                self._made[place] = index

    def __getitem__(self, place: int) -> Tensor:
        """Return an image as float32."""
        return torch.from_numpy(self._images[place].astype(np.float32))


def _kept(file: Path, shape: tuple[int, ...], dtype: type, empty: int) -> NDArray[np.generic]:
    if file.exists():
        found = np.lib.format.open_memmap(file, mode="r+")
        if found.shape == shape and found.dtype == dtype:
            return found
    made = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=shape)
    made[:] = empty
    return made


def _turned(patch: Tensor) -> Tensor:
    """Turn and mirror a patch in its plane, at random; in 3D turn its planes over, too."""
    turns, flip = int(torch.randint(4, ())), bool(torch.rand(()) < 0.5)
    if patch.ndim == 3 and torch.rand(()) < 0.5:
        patch = patch.flip(0)
    return torch.rot90(patch.transpose(-1, -2) if flip else patch, turns, (-2, -1))


def _crop(image: Tensor, patch: tuple[int, ...]) -> Tensor:
    corner = [
        int(torch.randint(have - want + 1, ()))
        for have, want in zip(image.shape, patch, strict=True)
    ]
    return image[tuple(slice(c, c + p) for c, p in zip(corner, patch, strict=True))]


def _drifting(photo: Tensor, patch: tuple[int, ...]) -> Tensor:
    """Cut planes out of a photograph that drifts, and so make a volume of it."""
    planes, height, width = patch
    room = [have - want for have, want in zip(photo.shape, (height, width), strict=True)]
    speed = 3 * torch.rand(()) ** 2 * torch.randn(2)
    start = torch.rand(2) * torch.tensor(room)
    places = (start + speed * torch.arange(planes)[:, None]).round().long()
    return torch.stack(
        [
            photo[y : y + height, x : x + width]
            for y, x in (
                [min(max(int(p), 0), r) for p, r in zip(place, room, strict=True)]
                for place in places
            )
        ]
    )


def _detail(patch: Tensor) -> float:
    """How much a patch changes from pixel to pixel."""
    along = [patch.diff(dim=axis).abs().mean() for axis in (-1, -2)]
    return float(sum(along))


class PatchSampler:
    """Draws clean patches in random places, orientations, contrasts and polarities.

    Half of those from photographs are the most detailed of three: sky and blurred backgrounds fill
    photographs, and are soon learnt.

    Parameters
    ----------
    photos : list of list of Tensor
        (Y, X), values 0..1: for each picture its versions. Pictures are drawn alike often, large
        versions more often than small ones.
    pool : Pool
        Images of as many axes as the patch.
    patch : tuple of int
        ((Z,) Y, X).
    batch : int
        Patches drawn at a time.
    photo_share : float
        How many of them come from photographs.
    """

    def __init__(
        self,
        photos: list[list[Tensor]],
        pool: Pool,
        patch: tuple[int, ...],
        batch: int,
        photo_share: float,
    ) -> None:
        self._photos, self._pool = photos, pool
        self._patch, self._batch, self._photo_share = patch, batch, photo_share
        self._weights = [
            torch.tensor([float(version.numel()) ** 0.5 for version in photo]) for photo in photos
        ]

    def draw(self) -> Tensor:
        """Return patches (N, 1, (Z,) Y, X) with values 0..1."""
        patches = [self._one() for _ in range(self._batch)]
        return torch.stack(patches)[:, None].contiguous()

    def _one(self) -> Tensor:
        if torch.rand(()) < self._photo_share:
            chosen = int(torch.randint(len(self._photos), ()))
            photo = self._photos[chosen][int(torch.multinomial(self._weights[chosen], 1))]
            cut = _drifting if len(self._patch) == 3 else _crop
            tries = 3 if torch.rand(()) < 0.5 else 1
            patch = max((cut(photo, self._patch) for _ in range(tries)), key=_detail)
            if torch.rand(()) < 0.3:
                patch = 1 - patch
        else:
            patch = _crop(self._pool[int(torch.randint(self._pool.count, ()))], self._patch)
        patch = _turned(patch)
        if torch.rand(()) < 0.3:
            # Most of a fluorescence image is far darker than its brightest spots.
            patch = patch.clamp(0, 1) ** float(1 + 2 * torch.rand(()))
        contrast = 0.4 + 0.6 * float(torch.rand(())) ** 0.7
        floor = (1 - contrast) * float(torch.rand(())) * float(torch.rand(()) < 0.5)
        return floor + contrast * patch
