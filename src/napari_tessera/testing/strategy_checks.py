"""What is checked of a write strategy, one thing at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_tessera.testing.predicted import PredictedImage
from napari_tessera.testing.strategy_subject import StrategySubject
from napari_tessera.writing import ImageRegionData


def protocol(subject: StrategySubject) -> None:
    """There is a ``write_batch``, and what else the pipeline would call can be called."""
    with _image(subject) as image:
        strategy = subject.new(image)
        for name in ("write_batch", "open", "flush", "close"):
            method = getattr(strategy, name, None)
            if method is None and name == "write_batch":
                raise subject.failed(strategy, "it has no write_batch")
            if method is not None and not callable(method):
                raise subject.failed(strategy, f"{name} cannot be called")


def batches(subject: StrategySubject) -> None:
    """All tiles of a run, some at a time and in the pipeline's order."""
    with _image(subject) as image:
        tiles = image.tiles()
        subject.run(image, [tiles[at : at + 4] for at in range(0, len(tiles), 4)])


def any_order(subject: StrategySubject) -> None:
    """Tiles in any order, one at a time."""
    with _image(subject) as image:
        order = np.random.default_rng(0).permutation(image.n_tiles)
        subject.run(image, [[tile] for tile in image.tiles([int(i) for i in order])])


def whole_tiles(subject: StrategySubject) -> None:
    """Tiles that come uncropped are told by their shape, and their rim is left out."""
    if subject.whole_samples:
        return
    with _image(subject) as image:
        subject.run(image, [[image.tile(i, whole=True)] for i in range(image.n_tiles)])


def axes_orders(subject: StrategySubject) -> None:
    """Images of any axes in any order; planes and channels may come one by one."""
    for axes in subject.axes:
        folds = ["", *(["Z"] if "Z" in axes else []), *(["C"] if "C" in axes else [])]
        for fold in folds:
            with _image(subject, axes=axes, fold=fold) as image:
                subject.run(image, [image.tiles()])


def made_channels(subject: StrategySubject) -> None:
    """A model may make channels that the image has not, and leave out those that it has."""
    for axes, channels in (("TYX", 3), ("YXC", 1), ("CYX", 3)):
        with _image(subject, axes=axes, channels=channels) as image:
            subject.run(image, [image.tiles()])


def regions(subject: StrategySubject) -> None:
    """A part of the image is wanted; tiles reach beyond it."""
    selections: tuple[dict[str, Any], ...] = (
        {"Y": slice(5, 30), "X": slice(1, 2)},
        {"T": [0, 2], "C": 1},
    )
    for selection in selections:
        with _image(subject, fold="C", selection=selection) as image:
            subject.run(image, [image.tiles()])


def data_types(subject: StrategySubject) -> None:
    """The run says which type is written; whole numbers are rounded and clipped, NaN is 0."""
    for dtype in subject.dtypes:
        with _image(subject, dtype=dtype) as image:
            strategy = subject.new(image)
            subject.drive(strategy, image, [image.tiles()])
            found = subject.found(strategy, image).dtype
            if found != np.dtype(dtype):
                raise subject.failed(strategy, f"wrote {found}, the run asks for {dtype}")
            subject.compare(strategy, image, hint=f"as {dtype}")


def predictions_are_kept(subject: StrategySubject) -> None:
    """What is handed over stays as it is: other writers get it too."""
    with _image(subject) as image:
        strategy, tiles = subject.new(image), image.tiles()
        before = [tile.data.copy() for tile in tiles]
        subject.drive(strategy, image, [tiles])
        for tile, pixels in zip(tiles, before, strict=True):
            if tile.data.tobytes() != pixels.tobytes():
                raise subject.failed(
                    strategy,
                    f"changed the prediction at {tuple(tile.region_spec['coords'])} that it was "
                    "given; change a copy",
                )


def stopped_runs(subject: StrategySubject) -> None:
    """A run may be stopped at any time: before the first tile, and with some missing."""
    for count in (0, 1):
        with _image(subject) as image:
            strategy = subject.new(image)
            subject.drive(strategy, image, [image.tiles(range(count))], completed=False)


def nothing_is_overwritten(subject: StrategySubject) -> None:
    """What is there is not written over unasked: it is refused, or goes elsewhere."""
    if subject.overwrites:
        return
    with _image(subject) as image:
        subject.run(image, [image.tiles()])
        other = replace(image, seed=1)
        try:
            strategy = subject.make(other.run)
            for name, arguments in (
                ("open", (other.run,)),
                ("write_batch", (other.dirpath, other.tiles())),
                ("close", (True,)),
            ):
                getattr(strategy, name, lambda *_: None)(*arguments)
        except Exception as refused:
            problem = f"after {type(refused).__name__}"
        else:
            problem = "after a second run"
        subject.compare(strategy, image, hint=f"{problem}: what was there was written over")


def interleaved_images(subject: StrategySubject) -> None:
    """Tiles of two images in turn, no run opened: each is there when its last tile came."""
    if not subject.by_hand:
        return
    with _image(subject, name="a.tif") as image:
        other = replace(image, name="b.tif", data_idx=1, seed=1)
        strategy = subject.new(image)
        mixed: list[ImageRegionData] = []
        for pair in zip(image.tiles(), other.tiles(), strict=True):
            mixed += pair
        for at in range(0, len(mixed), 3):
            subject.call(strategy, "write_batch", image.dirpath, mixed[at : at + 3])
        for each in (image, other):
            subject.compare(strategy, each, hint="two images came in turn")


@contextmanager
def _image(subject: StrategySubject, **options: Any) -> Iterator[PredictedImage]:
    """An image that is written into a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield PredictedImage(Path(folder), whole_samples=subject.whole_samples, **options)
