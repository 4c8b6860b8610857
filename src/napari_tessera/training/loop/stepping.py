"""One change of the weights: forwards, backwards, optimizer; in parts where memory is short."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from napari_tessera.models.architectures.unet import UNet
from napari_tessera.models.short_memory import give_back, is_out_of_memory, let_go
from napari_tessera.models.triton import keep_triton_out
from napari_tessera.training.errors import TrainingError
from napari_tessera.training.loop.network import weight_groups
from napari_tessera.training.loop.norms import NormMemory
from napari_tessera.training.loop.precision import DTYPES, keep_ends_whole
from napari_tessera.training.loop.sample import Sample, loss_of
from napari_tessera.training.settings import TrainingSettings

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class Stepper:
    """Changes a network's weights, a batch at a time.

    Parameters
    ----------
    network : UNet
        On its device.
    settings : TrainingSettings
        With every default resolved.
    device : torch.device
        Where the network is.
    precision : {"float32", "bfloat16", "float16"}
        What it computes in.
    """

    def __init__(
        self,
        network: UNet,
        settings: TrainingSettings,
        device: torch.device,
        precision: str,
    ) -> None:
        assert settings.batch_size is not None
        self._network = network
        self._settings = settings
        self._device = device
        self._dtype = DTYPES[precision]
        if device.type == "cpu" and self._dtype != torch.float32:
            keep_ends_whole(network)
        keep_triton_out()
        self._optimizer = torch.optim.AdamW(
            weight_groups(network, settings.weight_decay),
            lr=settings.learning_rate,
            fused=device.type in ("cpu", "cuda"),
        )
        self._parameters: list[Tensor] = [
            each for group in self._optimizer.param_groups for each in group["params"]
        ]
        # small gradients are zero in float16, unless they are multiplied with a large number
        self._scaler = self._made_scaler({})
        self._norms = NormMemory(network)
        self._take_up_moments({})
        self.batch_size = settings.batch_size
        """Patches that go through the network at once."""
        self.notice: str | None = None
        """What was found out in the last step, in one line."""

    def step(self, sample: Sample, learning_rate: float) -> Tensor:
        """Change the weights, and give the loss of before, a scalar on the device.

        Where memory runs out, the batch goes through in halves whose gradients are added up, now
        and from now on: each step still learns from all of its patches. Batch norms then see the
        halves one after the other: they take out the mean and deviation of each, and their running
        ones move at each, so that the step is not quite that of the whole batch.

        Parameters
        ----------
        sample : Sample
            On any device.
        learning_rate : float
            Of this step.

        Raises
        ------
        TrainingError
            If there is too little memory for a single patch.
        """
        self.notice = None
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._norms.keep()
        while True:
            try:
                loss = self._gradients(sample)
                self._change()
                return loss
            except (RuntimeError, MemoryError) as error:
                self._optimizer.zero_grad(set_to_none=True)
                self.halve(error, len(sample))
            self._norms.restore()
            # gradients may have been divided by the scale already, which it lets happen once
            self._scaler = self._made_scaler(self._scaler.state_dict())

    def halve(self, error: BaseException, patches: int) -> None:
        """Let half as many patches go through at once from now on, as memory ran out.

        Parameters
        ----------
        error : BaseException
            What was raised. It is raised again where it tells of something else.
        patches : int
            How many there were to go through.

        Raises
        ------
        TrainingError
            If it was a single one.
        """
        if not is_out_of_memory(error):
            raise error
        said, tried = let_go(error), min(self.batch_size, patches)
        give_back(self._device)
        if tried == 1:
            raise TrainingError(
                f"there is too little memory on {self._device} for one patch of "
                f"{'×'.join(map(str, self._settings.patch_size or ()))} pixels ({said}); use "
                "smaller patches, fewer features, or another device",
                "patch_size",
            )
        self.batch_size = -(-tried // 2)
        self.notice = (
            f"memory ran out on {self._device}: {self.batch_size} patches go through the network "
            f"at once instead of {self._settings.batch_size}"
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors, and plain values for JSON, that the next steps depend on."""
        tensors = {
            f"{at}/{name}": moments[name]
            for at, moments in self._optimizer.state_dict()["state"].items()
            for name in _MOMENTS
        }
        return tensors, {"batch_size": self.batch_size, "scaler": self._scaler.state_dict()}

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._take_up_moments(tensors)
        self.batch_size = int(values["batch_size"])
        if self.batch_size < 1:
            raise ValueError(f"batch size {self.batch_size}")
        self._scaler = self._made_scaler(values["scaler"])

    def _take_up_moments(self, tensors: Mapping[str, Tensor]) -> None:
        """Give the optimizer its moments; zeros where there are none.

        It would make them itself in its first step, after the gradients: too late to know that
        memory is short of them.
        """
        stored = tensors or {
            f"{at}/{name}": torch.zeros(() if name == "step" else parameter.shape)
            for at, parameter in enumerate(self._parameters)
            for name in _MOMENTS
        }
        packed = self._optimizer.state_dict()
        packed["state"] = {
            at: {name: _like(parameter, stored[f"{at}/{name}"]) for name in _MOMENTS}
            for at, parameter in enumerate(self._parameters)
        }
        self._optimizer.load_state_dict(packed)

    def _made_scaler(self, state: Mapping[str, Any]) -> torch.amp.GradScaler:
        scaler = torch.amp.GradScaler(self._device.type, enabled=self._dtype == torch.float16)
        if scaler.is_enabled() and state:
            scaler.load_state_dict(dict(state))
        return scaler

    def _change(self) -> None:
        """Change the weights by the gradients there are."""
        self._scaler.unscale_(self._optimizer)
        if self._settings.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._settings.gradient_clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def _gradients(self, sample: Sample) -> Tensor:
        self._optimizer.zero_grad(set_to_none=True)
        if self.batch_size >= len(sample):
            return self._backwards(sample.to(self._device), 1.0)
        whole = max(1, sample.weight())
        loss = torch.zeros((), device=self._device)
        for start in range(0, len(sample), self.batch_size):
            part = sample.part(start, start + self.batch_size)
            weight = part.weight()
            # the mean over nothing is not a number
            if weight:
                loss += self._backwards(part.to(self._device), weight / whole)
        return loss

    def _backwards(self, sample: Sample, share: float) -> Tensor:
        with self._casting():
            answer = self._network(sample.given)
        loss = loss_of(answer, sample, self._settings.loss)
        if share != 1.0:
            loss = loss * share
        torch.autograd.backward(self._scaler.scale(loss))
        return loss.detach()

    def _casting(self) -> AbstractContextManager[object]:
        if self._dtype != torch.float32:
            return torch.autocast(self._device.type, self._dtype)
        if torch.is_autocast_enabled(self._device.type):
            return torch.autocast(self._device.type, enabled=False)
        return nullcontext()


def _like(parameter: Tensor, moments: Tensor) -> Tensor:
    """Moments in the order of memory of their weights: the optimizer reads them side by side."""
    if moments.ndim == 0:
        return moments
    return torch.empty_like(parameter).copy_(moments)
