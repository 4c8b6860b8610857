"""A source of batches out of an array in memory, and small settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_tessera.training import TrainingSettings
from napari_tessera.training.data.source import Batch, Statistics

MakeSource = Callable[..., "PlainSource"]
MakeSettings = Callable[..., TrainingSettings]


class PlainSource:
    """Random patches of an image C(Z)YX; the last rows are held out."""

    def __init__(
        self,
        image: NDArray[np.float32],
        patch: tuple[int, ...],
        target: NDArray[np.float32] | None = None,
        seed: int = 0,
        held_out: int = 0,
    ) -> None:
        axes = tuple(range(1, image.ndim))
        self._seed, self._patch = seed, patch
        self.channels, self.spatial_dims = image.shape[0], image.ndim - 1
        rows = image.shape[-2] - held_out
        train = image[..., :rows, :]
        means, stds = train.mean(axes), train.std(axes)
        of_target = None if target is None else target[..., :rows, :]
        self.statistics = Statistics(
            tuple(map(float, means)),
            tuple(map(float, stds)),
            None if of_target is None else tuple(map(float, of_target.mean(axes))),
            None if of_target is None else tuple(map(float, of_target.std(axes))),
        )
        self._noisy = _scaled(image, self.statistics.means, self.statistics.stds)
        self._target = None
        if target is not None:
            assert self.statistics.target_means is not None
            assert self.statistics.target_stds is not None
            self._target = _scaled(
                target, self.statistics.target_means, self.statistics.target_stds
            )
        self._rows = rows
        self.patches = 100
        self.asked: list[int] = []
        self.fingerprint = hashlib.sha256(
            image.tobytes() + bytes(f"{held_out}", "ascii")
        ).hexdigest()

    def training_batch(self, step: int, batch_size: int) -> Batch:
        self.asked.append(step)
        random = np.random.default_rng((self._seed, step))
        limits = [*self._noisy.shape[1:-2], self._rows, self._noisy.shape[-1]]
        places = [
            [
                int(random.integers(0, limit - size + 1))
                for limit, size in zip(limits, self._patch, strict=True)
            ]
            for _ in range(batch_size)
        ]
        return Batch(
            self._cut(self._noisy, places),
            None if self._target is None else self._cut(self._target, places),
            step,
        )

    def validation_batches(self, batch_size: int) -> Iterator[Batch]:
        height, width = self._patch[-2:]
        rows = range(self._rows, self._noisy.shape[-2] - height + 1, height)
        columns = range(0, self._noisy.shape[-1] - width + 1, width)
        places = [[*[0] * (len(self._patch) - 2), y, x] for y, x in product(rows, columns)]
        for start in range(0, len(places), batch_size):
            some = places[start : start + batch_size]
            target = None if self._target is None else self._cut(self._target, some)
            yield Batch(self._cut(self._noisy, some), target, -1 - start)

    def close(self) -> None:
        pass

    def _cut(self, image: NDArray[np.float32], places: list[list[int]]) -> torch.Tensor:
        cut = [
            image[
                (slice(None), *(slice(p, p + s) for p, s in zip(place, self._patch, strict=True)))
            ]
            for place in places
        ]
        return torch.from_numpy(np.stack(cut))


def _scaled(
    image: NDArray[np.float32], means: tuple[float, ...], stds: tuple[float, ...]
) -> NDArray[np.float32]:
    shape = (-1, *[1] * (image.ndim - 1))
    centre = np.reshape(np.float32(means), shape)
    return np.asarray((image - centre) / (np.reshape(np.float32(stds), shape) + 1e-6), np.float32)


@pytest.fixture
def small() -> MakeSettings:
    """Settings of a tiny training, resolved; keywords change them."""

    def make(**changed: object) -> TrainingSettings:
        given: dict[str, object] = {
            "features": 4,
            "depth": 1,
            "steps": 12,
            "batch_size": 4,
            "validate_every": 6,
            "precision": "float32",
        }
        if changed.get("method") != "supervised":
            given["masked_percent"] = 2.0
        made = TrainingSettings(**(given | changed))  # type: ignore[arg-type]
        return made.resolved((1, 1, *(8, 32, 32)[3 - made.spatial_dims :]))

    return make


@pytest.fixture
def source() -> MakeSource:
    """A source of a noisy image of 64 × 64 pixels (8 × 32 × 32 in 3D) for settings."""

    def make(settings: TrainingSettings, channels: int = 1, targets: int = 0) -> PlainSource:
        random = np.random.default_rng(7)
        space = (64, 64) if settings.spatial_dims == 2 else (8, 32, 32)
        grid = np.indices(space).astype(np.float32)
        clean = 40 + 20 * np.sin(grid[-1] / 5) * np.cos(grid[-2] / 7)
        noisy = clean + random.normal(0, 8, (channels, *space))
        target = np.stack([clean] * targets).astype(np.float32) if targets else None
        assert settings.patch_size is not None
        held_out = 16 if settings.validation_percent else 0
        return PlainSource(
            noisy.astype(np.float32), settings.patch_size, target, settings.seed, held_out
        )

    return make
