"""A model that is ready to run on tiles."""

from __future__ import annotations

import threading
from functools import cached_property

import torch
from torch import Tensor, nn

from napari_tessera.models.cache import Facts
from napari_tessera.models.calling import check_batch
from napari_tessera.models.devices import Devices, named_devices
from napari_tessera.models.figures import held_by, work_of
from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.models.info import ModelInfo
from napari_tessera.models.loaded import Loaded, Placeable
from napari_tessera.models.own_test import OwnTestResult
from napari_tessera.models.own_test_kept import KeptTest
from napari_tessera.models.placement import Placement
from napari_tessera.models.probe import probe_geometry
from napari_tessera.models.processing import Processing
from napari_tessera.models.replicas import replica_of
from napari_tessera.models.short_memory import is_out_of_memory, let_go
from napari_tessera.models.sizing import run_on_any_size
from napari_tessera.models.words import normalization_text

__all__ = ["PRECISIONS", "Model", "ModelGeometry"]

PRECISIONS = {
    "auto": torch.float32,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


class Model:
    """A network, where it runs, and what it takes.

    Made by `load_model`. Calling it from several threads at once is safe where the network allows
    it; its geometry is measured once, on the first demand.

    Parameters
    ----------
    loaded : Loaded
        The network and what its file says of it.
    spatial_dims : int
        2 or 3.
    in_channels : int or None
        None where it takes any number of channels.
    device : str, torch.device or sequence of these
        ``"auto"``: the first of `available_devices` for a network that can be put there, the CPU
        for a function. Several, as `named_devices` takes them: see `replicas`.
    precision : str
        A key of `PRECISIONS`; ``"auto"`` is float32 until a plan takes another (see
        `in_precision`), others run in PyTorch's autocast.
    prepare : bool
        Whether tiles of 4096 pixels and more go through a network that was prepared: rewritten
        for speed, and compared with the one that was loaded before it is taken.
    measured : Model, optional
        One with the same network, of which what is measured holds for this one too.
    """

    def __init__(
        self,
        loaded: Loaded,
        spatial_dims: int,
        in_channels: int | None,
        *,
        device: Devices = "auto",
        precision: str = "auto",
        prepare: bool = True,
        measured: Model | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(
                f"precision {precision!r} is none of {', '.join(PRECISIONS)}: use float32"
            )
        self.loaded = loaded
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self._network = loaded.network
        self._dtype = PRECISIONS[precision]
        # left open: a plan may choose it
        self.is_precision_free = precision == "auto"
        self._in_precision: dict[str, Model] = {}
        self._facts = Facts(_key(loaded, spatial_dims, in_channels))
        # cached_property has no lock of its own since Python 3.12.
        self._probing = threading.RLock()
        self._own_test = KeptTest(loaded.own_test, self._facts)
        self._measured = measured
        first, *further = named_devices(device)
        self._placement = Placement(loaded, first, self._dtype, prepare=prepare)
        self.device = self._placement.device
        self._further = tuple(replica_of(self, other) for other in further)

    def __repr__(self) -> str:
        return f"<Model {self.name} {self.spatial_dims}D on {self.device}, {self.precision}>"

    @property
    def name(self) -> str:
        """What people call it."""
        return self.loaded.name

    @property
    def source(self) -> str:
        """Where it comes from: a path, ``builtin:NAME`` or ``python:NAME``."""
        return self.loaded.source

    @property
    def sha256(self) -> str:
        """Hash of what decides its output."""
        return self.loaded.sha256

    @property
    def processing(self) -> Processing | None:
        """What is done to grey levels before and after; None where the model does not say."""
        return self.loaded.processing

    @property
    def replicas(self) -> tuple[Model, ...]:
        """The model itself, and the same on each further device that it was loaded for."""
        return (self, *self._further)

    def for_channel(self, channel: int) -> Model:
        """The model that a channel of the image is predicted with: this one, for each."""
        return self

    @property
    def default_normalization(self) -> str:
        """What a plan does to grey levels unless told otherwise.

        ``"model"``, ``"time_point"`` or ``"none"``.
        """
        return self.loaded.default_normalization

    @property
    def precision(self) -> str:
        """Precision of the network's arithmetic: ``"float32"``, ``"bfloat16"``, ``"float16"``."""
        return str(self._dtype).removeprefix("torch.")

    @property
    def prepared(self) -> bool:
        """Whether tiles that are worth it go through a prepared network."""
        return self._placement.prepares

    def in_precision(self, precision: str) -> Model:
        """The model in a plan's precision: itself, unless its own was left open."""
        if precision == self.precision or not self.is_precision_free:
            return self
        with self._probing:
            if precision not in self._in_precision:
                self._in_precision[precision] = self.to(self.device, precision)
            return self._in_precision[precision]

    @property
    def preparation(self) -> str:
        """What was done to the network for speed, in words; prepares it, measures the geometry."""
        return self._placement.words(self.geometry, self.in_channels or 1)

    def get_ready(self) -> None:
        """Prepare the network now, so that the first tile need not wait for it.

        All replicas, one after another. Where memory runs out, the first tile tries again.
        """
        for one in self.replicas:
            try:
                one._placement.words(self.geometry, self.in_channels or 1)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                let_go(error)

    def release(self) -> None:
        """Give the memory of accelerators back while nothing runs.

        The next call puts the network there anew (tens of milliseconds), with the same results.
        Nothing happens on the CPU.
        """
        for one in self.replicas:
            one._placement.release()
            for other in one._in_precision.values():
                other._placement.release()

    @property
    def geometry(self) -> ModelGeometry:
        """Reach, period and output channels, measured on the CPU in float32.

        Raises
        ------
        ModelError
            If the network takes no tile, or returns no image whose size follows from the tile's.
        """
        with self._probing:
            return self._geometry

    @cached_property
    def _geometry(self) -> ModelGeometry:
        if self._measured is not None:
            return self._measured.geometry
        known = ModelGeometry.from_json(self._facts.get("geometry"), self.spatial_dims)
        if known is not None:
            return known
        found = probe_geometry(
            self._network,
            name=self.name,
            spatial_dims=self.spatial_dims,
            in_channels=self.in_channels,
            sizes=self.loaded.sizes,
            are_strict=self.loaded.sizes_are_strict,
            batch=self.loaded.batch,
        )
        self._facts.put("geometry", found.to_json())
        return found

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should know about the model, one line each; measures the geometry."""
        failure = self.own_test_failure
        failed = () if failure is None else (failure,)
        return (*self.loaded.warnings, *self._placement.warnings, *failed, *self.geometry.notes)

    @property
    def own_test_result(self) -> OwnTestResult | None:
        """Result of the test that a package brings; None where there is none or it was not run."""
        return self._own_test.result

    @property
    def own_test_failure(self) -> str | None:
        """What is wrong by that test, in one line; None where nothing is known to be."""
        return self._own_test.failure

    def run_own_test(self) -> OwnTestResult:
        """Run the test that a package brings, on the CPU in float32, and keep the result.

        Raises
        ------
        ModelError
            If the package brings none, or if its test tensors are damaged.
        """
        return self._own_test.run(self)

    @property
    def info(self) -> ModelInfo:
        """Everything that is known of the model; measures the geometry."""
        geometry = self.geometry
        result = self.own_test_result
        untested = "not run" if self.loaded.own_test else "none"
        return ModelInfo(
            name=self.name,
            format=self.loaded.format,
            source=self.source,
            sha256=self.sha256,
            spatial_dims=self.spatial_dims,
            in_channels=self.in_channels,
            out_channels=geometry.out_channels,
            dtype=self.loaded.dtype,
            precision=self.precision,
            preparation=self.preparation,
            normalization=normalization_text(self.processing, self.default_normalization),
            sizes=geometry.sizes,
            reach=geometry.reach,
            period=geometry.period,
            output_scale=geometry.output_scale,
            offset=geometry.offset,
            far_offset=geometry.far_offset,
            parameters=self._count_parameters(),
            about=self.loaded.about,
            own_test=untested if result is None else result.message,
            warnings=self.warnings,
        )

    @property
    def memory_per_pixel(self) -> float:
        """Peak of the bytes that a run holds on this device, for each pixel of one sample.

        Taken for granted where the network fails on the tiles that it is measured with.

        Raises
        ------
        ModelError
            As `geometry`.
        """
        with self._probing:
            return held_by(self, self._facts).peak

    @property
    def largest_per_pixel(self) -> float:
        """Bytes of the largest tensor of a run, for each pixel of one sample; 0 where unseen.

        Raises
        ------
        ModelError
            As `geometry`.
        """
        with self._probing:
            return held_by(self, self._facts).largest

    @property
    def work_per_pixel(self) -> float:
        """Multiplications for each pixel of a tile, counted on the CPU.

        Taken for granted where the network fails on the tile that it is counted with.

        Raises
        ------
        ModelError
            As `geometry`.
        """
        with self._probing:
            return work_of(self, self._facts)

    @property
    def can_move(self) -> bool:
        """Whether it can be put on other devices; functions run where they run."""
        return isinstance(self._network, nn.Module | Placeable)

    def to(
        self, device: Devices = "auto", precision: str = "auto", prepare: bool | None = None
    ) -> Model:
        """Put the same model on another device (or several), or run it in another precision.

        It is prepared as this one is unless ``prepare`` says otherwise. This model stays as it is;
        both share the geometry once it is measured here.
        """
        other = Model(
            self.loaded,
            self.spatial_dims,
            self.in_channels,
            device=device,
            precision=precision,
            prepare=self.prepared if prepare is None else prepare,
        )
        if "_geometry" in self.__dict__:
            other.__dict__["_geometry"] = self.geometry
        other._facts, other._own_test = self._facts, self._own_test
        return other

    def __call__(self, batch: Tensor) -> Tensor:
        """Run the network on tiles of any size, as many as there are.

        What the network itself takes is seen to: tiles are padded by reflection to a size that it
        takes, and the answer is cut to theirs.

        Parameters
        ----------
        batch : Tensor
            float32, NC(Z)YX, on `device`; it is not changed.

        Returns
        -------
        Tensor
            float32, NC(Z)YX on the same device, of the same size.

        Raises
        ------
        ModelError
            If the batch has other axes or channels than the model takes, if its tiles are larger
            than all it takes, if its output has another scale, or if what the network returns is
            no such tensor. The network's own exceptions come through.
        """
        check_batch(batch, self.spatial_dims, self.in_channels, self.name)
        geometry = self.geometry
        network = self._placement.network_for(batch, geometry)
        # no_grad and not inference_mode: what is made in that can neither be changed in place nor
        # trained with, and a function may keep some of it in what belongs to its author.
        with torch.no_grad(), self._placement.casting():
            return run_on_any_size(network, batch, self.name, geometry)

    def _count_parameters(self) -> int | None:
        if self.loaded.parameters is not None or not isinstance(self._network, nn.Module):
            return self.loaded.parameters
        # a frozen program has its weights among its constants
        return sum(weight.numel() for weight in self._network.parameters()) or None


def _key(loaded: Loaded, spatial_dims: int, in_channels: int | None) -> str | None:
    """What facts are kept under; None for what lives in Python, whose hash may miss a change."""
    if loaded.is_python:
        return None
    return f"{loaded.sha256}-{spatial_dims}d-{in_channels or 'any'}"
