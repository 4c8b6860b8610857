"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from napari_tessera.models.devices import resolve_device
from napari_tessera.models.short_memory import give_back, is_out_of_memory, let_go
from napari_tessera.training.data.source import BatchSource
from napari_tessera.training.errors import TrainingError
from napari_tessera.training.loop.average import AveragedWeights
from napari_tessera.training.loop.best import Best
from napari_tessera.training.loop.checkpoint import (
    Checkpoint,
    clear_leftovers,
    read_checkpoint,
    told_of_damage,
    write_checkpoint,
)
from napari_tessera.training.loop.curve import Curve
from napari_tessera.training.loop.network import (
    copy_network,
    make_network,
    memory_format,
    network_settings,
    reorder,
)
from napari_tessera.training.loop.pace import Pace
from napari_tessera.training.loop.precision import DTYPES, resolve_precision
from napari_tessera.training.loop.progress import TrainingProgress, TrainingResult
from napari_tessera.training.loop.rate import LearningRate
from napari_tessera.training.loop.sample import make_sample
from napari_tessera.training.loop.stepping import Stepper
from napari_tessera.training.loop.validating import Validation, validate
from napari_tessera.training.settings import TrainingSettings

_TOLD_EVERY = 0.25
"""Seconds between two reports at least."""


class Trainer:
    """Trains a U-Net on batches.

    Step k learns from the k-th batch of the source, whatever was before: a training that goes on
    from a checkpoint comes to the same weights as one that was never interrupted, bit for bit on
    a CPU with the same number of threads.

    Parameters
    ----------
    data : BatchSource
        Where batches come from.
    settings : TrainingSettings
        What is asked for, with every default resolved.
    device : str or torch.device
        Where it computes; ``"auto"`` is the first of ``available_devices``.
    checkpoint : Path, optional
        File that the state is kept in: gone on from where there is one, written every minute,
        when the training ends, and when it is cancelled; not before the first step.
    resume : bool
        Whether to go on from a checkpoint that is there. Else the first state that is written
        takes its place.
    checkpoint_seconds : float
        Time between two checkpoints.
    clock : callable
        Tells seconds; never goes back.

    Raises
    ------
    TrainingError
        If the checkpoint is of another training, no network can be made so, or memory is too
        short for it.
    ValueError
        If this machine has no such device.
    """

    def __init__(
        self,
        data: BatchSource,
        settings: TrainingSettings,
        *,
        device: str | torch.device = "auto",
        checkpoint: Path | None = None,
        resume: bool = True,
        checkpoint_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.data = data
        self.settings = settings
        self.device = resolve_device(device)
        self._path, self._clock, self._every = checkpoint, clock, checkpoint_seconds
        self.network_settings = network_settings(settings, data.channels)
        self._saved = None
        if checkpoint and resume and checkpoint.exists():
            self._saved = read_checkpoint(checkpoint)
            self._saved.check_fits(checkpoint, settings, data.fingerprint)
        with told_of_damage(checkpoint or Path()):
            self.precision = self._chosen_precision()
        with _memory_for_network(settings, self.device):
            self._network = make_network(self.network_settings, settings.seed).to(self.device)
            reorder(self._network, memory_format(settings.spatial_dims))
            self._average = AveragedWeights(self._network, settings.ema)
            self._stepper = Stepper(self._network, settings, self.device, self.precision)
        self._rate = LearningRate(settings)
        self._curve = Curve(settings)
        self._best = Best()
        self._notices: list[str] = []
        self._new_notice: str | None = None
        self.step = 0
        """Steps done."""
        self.kept_step: int | None = None
        """Steps done in the state that the checkpoint has; None where there is none of this
        training."""
        self.not_kept: str | None = None
        """Why the last state could not be written, in one line."""
        spent = 0.0
        if checkpoint:
            clear_leftovers(checkpoint)
        if checkpoint and self._saved:
            with told_of_damage(checkpoint):
                spent = self._restore(self._saved)
            self._saved = None
        self._pace = Pace(clock, spent)
        self._saved_at, self._told_at = clock(), float("-inf")
        self._is_whole = True

    def run(
        self,
        *,
        cancel: Callable[[], object] | None = None,
        progress: Callable[[TrainingProgress], None] | None = None,
    ) -> TrainingResult:
        """Train to the end, or until cancelled.

        Parameters
        ----------
        cancel : callable, optional
            Asked between steps; anything true ends the training.
        progress : callable, optional
            Told how far it is: a few times a second at most, in this thread.

        Returns
        -------
        TrainingResult
            The network, and how it came about.

        Raises
        ------
        TrainingError
            If the loss is no number any more, or memory is too short for one patch. The last
            checkpoint stays.
        """
        stopped = "finished"
        try:
            while self.step < self.settings.steps:
                if self._has_no_gain():
                    stopped = "early"
                    break
                if cancel is not None and cancel():
                    stopped = "cancelled"
                    break
                self._one_step()
                if self._clock() - self._saved_at >= self._every:
                    self.save()
                self._tell(progress)
        except BaseException:
            # what went wrong outside of a step leaves weights that can be gone on with
            if self.step and self._is_whole and self._curve.is_finite:
                self.save()
            raise
        self._check_loss()
        self._curve.mark(self.step, None)
        # there is nothing in a state of step 0, and others would ask what is to become of it
        if self.step:
            self.save()
        self._tell(progress, now=True)
        return self._result(stopped)

    def snapshot(self) -> nn.Module:
        """The averaged weights as they are now: a copy in evaluation mode, on the CPU.

        From any thread, at any time, while `run` goes on or not.
        """
        return copy_network(self.network_settings, self._average.state())

    def _one_step(self) -> None:
        settings = self.settings
        assert settings.batch_size is not None
        batch = self.data.training_batch(self.step, settings.batch_size)
        sample = make_sample(batch, settings)
        self._is_whole = False
        self._network.train()
        self._curve.add(self._stepper.step(sample, self._rate.at(self.step)))
        self.step += 1
        self._average.update(self.step)
        self._is_whole = True
        self._say_of_memory()
        if self.step % settings.validate_every == 0 or self.step == settings.steps:
            self._validate()
        elif self._curve.is_due(self.step):
            self._curve.mark(self.step, None)
        self._pace.stepped(self.step)

    def _validate(self) -> None:
        self._check_loss()
        found = self._validated()
        self._say_of_memory()
        self._curve.mark(self.step, found.loss if found else None)
        if found:
            gain = self._best.validated(self.step, found, self._average)
            self._rate.validated(gain=gain)

    def _validated(self) -> Validation | None:
        network, asked = self._average.network, self.settings.batch_size or 1
        while True:
            at_once = self._stepper.batch_size
            try:
                return validate(network, self.data, self.settings, self.device, at_once)
            except (RuntimeError, MemoryError) as error:
                self._stepper.halve(error, asked)

    def _has_no_gain(self) -> bool:
        patience = self.settings.patience
        return patience is not None and self._best.without_gain >= patience

    def _check_loss(self) -> None:
        if self._curve.is_finite:
            return
        kept = ""
        if self._path and self.kept_step is not None:
            kept = f" ({self._path.name} keeps the state of step {self.kept_step})"
        raise TrainingError(
            f"the loss is no number any more at step {self.step}{kept}; use a learning rate below "
            f"{self.settings.learning_rate:g}, or precision float32",
            "learning_rate",
        )

    def _tell(
        self, progress: Callable[[TrainingProgress], None] | None, *, now: bool = False
    ) -> None:
        at = self._clock()
        if not (now or self._new_notice or at - self._told_at >= _TOLD_EVERY):
            return
        self._told_at = at
        self._check_loss()
        if progress is None:
            return
        speed, size = self._pace.steps_per_second, self.settings.batch_size or 0
        notice, self._new_notice = self._new_notice, None
        progress(
            TrainingProgress(
                step=self.step,
                steps=self.settings.steps,
                seconds=self._pace.seconds,
                seconds_left=self._pace.seconds_left(self.settings.steps - self.step),
                patches_per_second=speed * size if speed else None,
                training_loss=self._curve.smoothed,
                validation_loss=self._curve.validated,
                batch_size=self._stepper.batch_size,
                learning_rate=self._rate.at(self.step),
                notice=notice,
            )
        )

    def _say_of_memory(self) -> None:
        if self._stepper.notice:
            self._say(self._stepper.notice)
            self._stepper.notice = None

    def _say(self, notice: str) -> None:
        self._notices.append(notice)
        self._new_notice = notice

    def _result(self, stopped: str) -> TrainingResult:
        state, step = self._average.state(), self.step
        if stopped != "cancelled" and (better := self._best.better_than_last()):
            step, state = better
        return TrainingResult(
            network=copy_network(self.network_settings, state),
            losses=tuple(self._curve.points),
            step=self.step,
            network_step=step,
            stopped=stopped,
            seconds=self._pace.seconds,
            notices=tuple(self._notices),
        )

    def _chosen_precision(self) -> str:
        precision = resolve_precision(self.settings, self.device)
        if self._saved is None or self._saved.values["device"] != self.device.type:
            return precision
        precision = str(self._saved.values["precision"])
        if precision not in DTYPES:
            raise ValueError(f"precision {precision!r}")
        return precision

    def save(self) -> None:
        """Write the state, where there is a checkpoint; not while `run` is at it.

        Where that fails, training can go on all the same: `not_kept` has the reason.

        Raises
        ------
        TrainingError
            If the loss is no number any more.
        """
        if self._path is None:
            return
        self._check_loss()
        self._saved_at = self._clock()
        moments, stepping = self._stepper.state()
        parts = {
            "network": self._network.state_dict(),
            "average": self._average.state(),
            "moments": moments,
            "best": self._best.state,
        }
        values = {
            "stepping": stepping,
            "rate": self._rate.state(),
            "curve": self._curve.state(),
            "best": self._best.values(),
            "notices": self._notices,
            "seconds": self._pace.seconds,
            "device": self.device.type,
            "precision": self.precision,
        }
        tensors = {f"{part}/{key}": one for part, its in parts.items() for key, one in its.items()}
        state = Checkpoint(self.settings, self.data.fingerprint, self.step, tensors, values)
        try:
            write_checkpoint(self._path, state)
            self.kept_step, self.not_kept = self.step, None
        except OSError as error:
            if self.not_kept is None:
                since = f"the one of step {self.kept_step} stays" if self.kept_step else "none yet"
                self._say(f"the state is not kept, {since}; it is tried again: {error}")
            self.not_kept = str(error)

    def _restore(self, saved: Checkpoint) -> float:
        values = saved.values
        self._network.load_state_dict(saved.part("network"))
        self._average.restore(saved.part("average"))
        self._stepper.restore(saved.part("moments"), values["stepping"])
        self._rate.restore(values["rate"])
        self._curve.restore(values["curve"])
        self._best.restore(saved.part("best"), values["best"])
        self._notices = list(values["notices"])
        self.step = self.kept_step = saved.step
        if values["device"] != self.device.type:
            self._say(
                f"this training began on {values['device']} and goes on on {self.device.type}: "
                "its numbers are not quite those of one device"
            )
        return float(values["seconds"])


@contextmanager
def _memory_for_network(settings: TrainingSettings, device: torch.device) -> Iterator[None]:
    """Say it in one line where there is too little; halving the batch would not help."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        said = let_go(error)
        give_back(device)
        raise TrainingError(
            f"there is too little memory on {device} for the weights of depth {settings.depth} "
            f"with {settings.features} features, their average and their moments ({said}); use "
            "fewer features, less depth, or another device",
            "features",
        ) from None
