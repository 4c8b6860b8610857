"""Training by CAREamics, as its documentation has it, and what it saw."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.peers.checkpoint import quiet

EPOCH = 3
"""Batches of an epoch: as many whole ones of 16 as 512² has patches of 64², less its 8 for
validation. CAREamics sees all that is left once an epoch, so that there are no longer epochs; and
it validates after each, as its learning rate wants to know. Ours is made to validate as often."""

WHOLE = 10
"""Epochs after which it writes a checkpoint by default: the last one is what it predicts with."""


@dataclass(frozen=True)
class Trained:
    """What a training gave.

    Parameters
    ----------
    result : numpy.ndarray
        The image that was trained on, denoised, grey levels.
    seconds : float
        Of training alone: neither imports nor prediction.
    steps, patches : int
        How often weights changed, and how many patches were seen for that, repeats counted.
    """

    result: np.ndarray
    seconds: float
    steps: int
    patches: int


@dataclass(frozen=True)
class Sizes:
    """What both are trained with.

    Parameters
    ----------
    steps, batch, patch : int
        Changes of weights; patches in each; their edge, px.
    depth, features : int
        Of the U-Net: how often it halves the size, and channels in its first level.
    """

    steps: int
    batch: int
    patch: int
    depth: int
    features: int

    @property
    def epochs(self) -> int:
        """Of CAREamics: enough for the steps, and the last one with a checkpoint."""
        return WHOLE * -(-self.steps // (EPOCH * WHOLE))


def careamics(
    image: np.ndarray,
    method: str,
    sizes: Sizes,
    seed: int,
    folder: Path,
    clock: Callable[[], float] = time.perf_counter,
) -> Trained:
    """Train by CAREamics with its defaults, and denoise the image.

    Adam with a rate of 1e-3 that falls at a plateau, flips and turns, 0.2 % of pixels masked,
    mean and standard deviation taken out; no loader processes, as these cost more than they bring
    for an image in memory, and no progress bar.

    Parameters
    ----------
    image : numpy.ndarray
        YX.
    method : {"n2v", "n2v2"}
        What is learned.
    sizes : Sizes
        Of the network and the training.
    seed : int
        Of everything.
    folder : pathlib.Path
        Empty; it writes there.
    clock : callable
        Gives seconds.
    """
    from careamics import CAREamist
    from careamics.config.factories import create_advanced_n2v_config

    quiet()
    given = image.astype(np.float32)
    config = create_advanced_n2v_config(
        experiment_name=f"{method} {seed}",
        data_type="array",
        axes="YX",
        patch_size=(sizes.patch, sizes.patch),
        batch_size=sizes.batch,
        num_epochs=sizes.epochs,
        num_steps=EPOCH,
        use_n2v2=method == "n2v2",
        num_workers=0,
        model_params={"depth": sizes.depth, "num_channels_init": sizes.features},
        trainer_params={"accelerator": "cpu"},
        seed=seed,
    )
    seen = _counter()
    with contextlib.redirect_stdout(sys.stderr):
        careamist = CAREamist(config, work_dir=folder, enable_progress_bar=False, callbacks=[seen])
        quiet()
        began = clock()
        careamist.train(train_data=given)
        seconds = clock() - began
        made, _ = careamist.predict(
            given,
            batch_size=1,
            tile_size=(256, 256),
            tile_overlap=(48, 48),
            axes="YX",
            data_type="array",
            num_workers=0,
        )
    return Trained(np.squeeze(made[0]), seconds, careamist.trainer.global_step, seen.patches)


def _counter():  # type: ignore[no-untyped-def]
    """What Lightning calls after each batch; a class of its own, which wants Lightning's."""
    from lightning.pytorch.callbacks import Callback

    class Seen(Callback):
        patches = 0

        def on_train_batch_end(self, trainer, module, outputs, batch, index) -> None:  # type: ignore[no-untyped-def]
            self.patches += len(batch[0].data)

    return Seen()
