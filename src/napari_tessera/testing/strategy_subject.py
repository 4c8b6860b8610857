"""A write strategy under a check: driven as the pipeline does it, and read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.stacks.checks import error_line
from napari_tessera.testing.predicted import PredictedImage
from napari_tessera.writing import ImageRegionData, RunInfo, WriteStrategy

ODD_ORDERS = ("YX", "XYZ", "ZTCYX", "CSYX", "TSZYX", "XCTYSZ")
"""Axes that are looked at."""

Make = Callable[[RunInfo], WriteStrategy]
"""Makes a strategy for a run into ``run.dirpath``."""

Read = Callable[[RunInfo], Any]
"""Reads what a run wrote, in ``run.region``'s axes and shape."""


@dataclass(frozen=True)
class StrategySubject:
    """One check of one kind of strategy.

    Parameters
    ----------
    check : str
        What the check is called in messages.
    make, read : callable
        See `check_write_strategy`.
    by_hand, overwrites, whole_samples, axes, dtypes
        See `check_write_strategy`.
    """

    check: str
    make: Make
    read: Read
    by_hand: bool = True
    overwrites: bool = False
    whole_samples: bool = False
    axes: Sequence[str] = ODD_ORDERS
    dtypes: Sequence[str] = ("float32", "uint8")

    def failed(self, strategy: object, problem: str) -> AssertionError:
        """What to raise: strategy, check and difference, in one line."""
        return AssertionError(
            " ".join(f"{type(strategy).__name__}: {self.check}: {problem}".split())
        )

    def new(self, image: PredictedImage) -> Any:
        """A strategy for an image."""
        try:
            return self.make(image.run)
        except Exception as error:
            raise self.failed(self.make, f"making it raised {error_line(error)}") from error

    def call(self, strategy: Any, what: str, *arguments: Any) -> None:
        """Call a method that a strategy may have."""
        method = getattr(strategy, what, None)
        if method is None:
            return
        try:
            method(*arguments)
        except Exception as error:
            raise self.failed(strategy, f"{what} raised {error_line(error)}") from error

    def drive(
        self,
        strategy: Any,
        image: PredictedImage,
        batches: Sequence[list[ImageRegionData]],
        *,
        completed: bool = True,
    ) -> None:
        """Open, write and close; batches come in another thread, as from the pipeline."""
        self.call(strategy, "open", image.run)
        with ThreadPoolExecutor(1) as thread:
            for batch in batches:
                written = thread.submit(self.call, strategy, "write_batch", image.dirpath, batch)
                written.result()
        self.call(strategy, "close", completed)

    def run(self, image: PredictedImage, batches: Sequence[list[ImageRegionData]]) -> None:
        """Drive a new strategy and compare what it wrote."""
        strategy = self.new(image)
        self.drive(strategy, image, batches)
        self.compare(strategy, image)

    def compare(self, strategy: Any, image: PredictedImage, hint: str = "") -> None:
        """Compare what was written with what must be; NaN equals NaN."""
        found, expected = self.found(strategy, image), image.expected
        what = f"{image.axes}{f' folded {image.fold}' if image.fold else ''}"
        if found.shape != expected.shape:
            raise self.failed(
                strategy,
                f"{what} has shape {found.shape} instead of {image.region.axes} {expected.shape}",
            )
        unlike = found != expected
        if found.dtype.kind == "f" and expected.dtype.kind == "f":
            unlike &= ~(np.isnan(found) & np.isnan(expected))
        count = int(np.count_nonzero(unlike))
        if not count:
            return
        first = np.unravel_index(int(np.argmax(unlike)), unlike.shape)
        at = " ".join(f"{a}={i}" for a, i in zip(image.region.axes, first, strict=True))
        raise self.failed(
            strategy,
            f"{what} differs in {count} of {unlike.size} pixels, first at {at}: {found[first]} "
            f"instead of {expected[first]}{hint and f' ({hint})'}",
        )

    def found(self, strategy: Any, image: PredictedImage) -> NDArray[Any]:
        """What was written."""
        try:
            return np.asarray(self.read(image.run))
        except Exception as error:
            raise self.failed(
                strategy, f"reading {image.axes} back raised {error_line(error)}"
            ) from error
