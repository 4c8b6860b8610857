"""A network where it runs: on its device, prepared for tiles that are worth it."""

from __future__ import annotations

import copy
import threading
from contextlib import AbstractContextManager, nullcontext
from math import prod

import torch
from torch import Tensor, nn

from napari_tessera.models.calling import Network, random_batch
from napari_tessera.models.devices import resolve_device
from napari_tessera.models.errors import ModelError, message_line
from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.models.loaded import Loaded, Placeable
from napari_tessera.models.preparation import UNPREPARED, Preparation, prepare
from napari_tessera.models.short_memory import empty_cache, is_out_of_memory, let_go
from napari_tessera.models.sizing import with_batches

SMALL = 4096
"""Pixels of a tile below which the network runs as it was loaded: one rule for a size, so that a
tile has the same bytes whatever was computed before."""

_SLOPE = 1.5
"""Of the tile that is compared on, in deviations of its noise."""

_COMPARED = {2: (64, 64), 3: (16, 32, 32)}
"""Size of the tiles that a prepared network is compared on."""


class Placement:
    """A network on a device; the one that was loaded stays as it is.

    Parameters
    ----------
    loaded : Loaded
        The network, on the CPU.
    wanted : str or torch.device
        ``"auto"``: the first of `available_devices` for a network that can be put there, and has
        room there.
    dtype : torch.dtype
        float32, or what PyTorch's autocast computes in.
    prepare : bool
        Whether tiles that are worth it go through a prepared network.

    Raises
    ------
    ModelError
        If it cannot be put there.
    ValueError
        If this machine has no such device.
    """

    def __init__(
        self, loaded: Loaded, wanted: str | torch.device, dtype: torch.dtype, *, prepare: bool
    ) -> None:
        self._loaded = loaded
        self._dtype = dtype
        self.prepares = prepare
        self._lock = threading.RLock()
        self._preparation: Preparation | None = None
        self.device, placed, self.warnings = _placed(loaded, wanted)
        self._there: Network | None = placed

    def casting(self) -> AbstractContextManager[object]:
        """The context that the network runs in: an autocast around the caller is none of ours."""
        if self._dtype != torch.float32:
            return torch.autocast(self.device.type, self._dtype)
        if torch.is_autocast_enabled(self.device.type):
            return torch.autocast(self.device.type, enabled=False)
        return nullcontext()

    def network_for(self, batch: Tensor, geometry: ModelGeometry) -> Network:
        """What a batch goes through: the prepared network, or where tiles are small the plain one.

        Takes batches of any number of samples.
        """
        if self.prepares and prod(batch.shape[2:]) >= SMALL:
            network = self.preparation(geometry, batch.shape[1]).network
        else:
            network = self._network()
        return with_batches(network, self._loaded.name, self._loaded.batch)

    def preparation(self, geometry: ModelGeometry, channels: int) -> Preparation:
        """What was done to the network; done on the first demand, and kept.

        Parameters
        ----------
        geometry : ModelGeometry
            Tells the sizes that the network takes.
        channels : int
            Of the input.
        """
        with self._lock:
            if self._preparation is None:
                self._preparation = self._prepared(geometry, channels)
            return self._preparation

    def words(self, geometry: ModelGeometry, channels: int) -> str:
        """What was done to the network, for people."""
        if not self.prepares:
            return UNPREPARED
        return self.preparation(geometry, channels).words or UNPREPARED

    def release(self) -> None:
        """Give the memory of an accelerator back; the next batch has it taken anew.

        What is computing meanwhile computes on.
        """
        if self.device.type == "cpu" or not isinstance(self._loaded.network, nn.Module | Placeable):
            return
        with self._lock:
            self._there = self._preparation = None
        empty_cache(self.device)

    def _network(self) -> Network:
        with self._lock:
            if self._there is None:
                self._there = _placed(self._loaded, self.device)[1]
            return self._there

    def _prepared(self, geometry: ModelGeometry, channels: int) -> Preparation:
        network = self._network()
        lost = [near + far for near, far in zip(geometry.offset, geometry.far_offset, strict=True)]
        least = [n + max(less, 0) for n, less in zip(_COMPARED[len(lost)], lost, strict=True)]
        size = geometry.sizes.rounded_up(least) or geometry.sizes.rounded_up((1,) * len(lost))
        if size is None or not geometry.keeps_size:
            return Preparation(network)
        # of noise alone a good denoiser leaves so little that rounding would look large
        slope = torch.linspace(-_SLOPE, _SLOPE, size[-1], dtype=torch.float32)
        batch = random_batch((self._loaded.batch or 2, channels, *size)) + slope
        batch = batch.to(self.device)
        return prepare(network, batch, self.casting, is_float32=self._dtype == torch.float32)


def _placed(
    loaded: Loaded, wanted: str | torch.device
) -> tuple[torch.device, Network, tuple[str, ...]]:
    """Where a network runs, the network there, and what people should know of it.

    The one that was loaded stays as it is.
    """
    network, is_free, cpu = loaded.network, wanted == "auto", torch.device("cpu")
    if not isinstance(network, nn.Module | Placeable):
        return resolve_device("cpu" if is_free else wanted), network, ()
    device = resolve_device(wanted)
    if device.type == "cpu":
        return device, network, ()
    try:
        if isinstance(network, Placeable):
            return device, network.placed_on(device), ()
        return device, copy.deepcopy(network).to(device), ()
    except (RuntimeError, NotImplementedError) as error:
        if is_free and is_out_of_memory(error):
            let_go(error)
            return cpu, network, (f"{device} has no memory left for the model: it runs on the CPU",)
        if is_free and isinstance(network, Placeable):
            # nobody asked for that device: the ONNX Runtime that is installed may not have it
            return cpu, network, ()
        raise ModelError.not_usable(
            loaded.name,
            f"it cannot be put on {device} ({message_line(error)})",
            "Choose device cpu",
        ) from error
