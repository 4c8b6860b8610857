"""Lanes of a CUDA device: pinned memory, and a stream of its own for each direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class _Passed:
    """An event of a stream."""

    event: torch.cuda.Event

    def wait(self) -> None:
        """Wait until the stream is past it; other threads of Python go on."""
        self.event.synchronize()


class CudaLanes:
    """Copies in two streams beside the one that the model runs in.

    Computation waits for copies, and copies for computation, by events on the device: the host
    waits for nothing here but where its memory cannot be pinned. Then a copy is done when it
    returns, and no faster than before.

    Parameters
    ----------
    device : torch.device
        The device. The model runs in the stream that is current in the thread that copies.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._in: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._out: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pins = True

    def memory(self, size: int) -> Tensor:
        """Pinned bytes, or others where the system gives no more of them."""
        if self._pins:
            try:
                return torch.empty(size, dtype=torch.uint8, pin_memory=True)
            except RuntimeError:
                # a container's limit of locked memory, most often: the next one would fail too
                self._pins = False
        return torch.empty(size, dtype=torch.uint8)

    def copy_in(self, host: Tensor) -> tuple[Tensor, _Passed]:
        """Copy in the stream for that; what is computed from here on waits for it."""
        compute = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._in):
            there = host.to(self._device, non_blocking=True)
            arrived = _recorded(self._in)
        compute.wait_event(arrived)
        # made in one stream and used in another: no later copy gets its memory before that is done
        there.record_stream(compute)
        return there, _Passed(arrived)

    def copy_out(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> _Passed:
        """Copy in the stream for that, once all is computed that was begun so far."""
        made = torch.cuda.current_stream(self._device).record_event()
        self._out.wait_event(made)
        with torch.cuda.stream(self._out):
            for there, host in pairs:
                host.copy_(there, non_blocking=True)
                there.record_stream(self._out)
            return _Passed(_recorded(self._out))


def _recorded(stream: torch.cuda.Stream) -> torch.cuda.Event:
    """An event in a stream. Who waits for it sleeps, and leaves the core to those that read."""
    event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    event.record(stream)
    return event
