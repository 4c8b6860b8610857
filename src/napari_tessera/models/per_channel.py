"""A model of its own for each channel of an image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from math import lcm

import torch

from napari_tessera.models.devices import Devices
from napari_tessera.models.errors import ModelError
from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.models.info import ModelInfo
from napari_tessera.models.model import Model
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.models.sizing import other_scale


class ChannelModels:
    """One-channel models by channel; planned and run as one model.

    What tiling asks of a `Model` stands here for all of them together; channels that have no model
    are not predicted. Made by `load_model` out of a mapping.

    Parameters
    ----------
    models : mapping of int to Model
        The model of each channel.

    Raises
    ------
    ModelError
        If there is none, if a channel is no whole number from 0 on, if a model takes or makes
        several channels, or if the models are not all for planes or all for volumes, of one
        precision and on one device.
    """

    in_channels = 1

    def __init__(self, models: Mapping[int, Model]) -> None:
        for channel in models:
            if type(channel) is not int or channel < 0:
                raise ModelError.not_loadable(
                    f"channel {channel!r}", "it is no whole number from 0 on", "Use 0 for the first"
                )
        if not models:
            raise ModelError.not_loadable(
                "a model per channel", "no channel has one", "Name a channel and its model"
            )
        self.models: Mapping[int, Model] = dict(sorted(models.items()))
        for channel, model in self.models.items():
            if model.in_channels not in (None, 1):
                raise ModelError.not_usable(
                    model.name,
                    f"it takes {model.in_channels} channels, and is for channel {channel} alone",
                    "Choose a model of one channel, or use it for all channels",
                )
        first = next(iter(self.models.values()))
        self.spatial_dims = first.spatial_dims
        self.device = first.device
        self.precision = first.precision
        for channel, model in self.models.items():
            for what, own, others in (
                ("", f"{model.spatial_dims}D", f"{first.spatial_dims}D"),
                (" on its device", _devices(model), _devices(first)),
                (" in its precision", model.precision, first.precision),
            ):
                if own != others:
                    raise ModelError.not_usable(
                        model.name,
                        f"it is {own}{what} and the model of channel {next(iter(self.models))} is "
                        f"{others}, for channel {channel}",
                        "Choose models that are alike in this",
                    )
        self._further = tuple(
            ChannelModels({channel: model.replicas[i] for channel, model in self.models.items()})
            for i in range(1, len(first.replicas))
        )

    def __repr__(self) -> str:
        return f"<ChannelModels {self.name} {self.spatial_dims}D on {self.device}>"

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels that have a model, ascending."""
        return tuple(self.models)

    @property
    def replicas(self) -> tuple[ChannelModels, ...]:
        """These models, and the same ones on each further device that they were loaded for."""
        return (self, *self._further)

    def for_channel(self, channel: int) -> Model:
        """The model of a channel.

        Raises
        ------
        ModelError
            If it has none.
        """
        if channel not in self.models:
            known = ", ".join(map(str, self.models))
            raise ModelError(
                f"channel {channel} has no model: there is one for {known}; name one for it"
            )
        return self.models[channel]

    @property
    def name(self) -> str:
        """Names of all, with their channels."""
        return ", ".join(f"{channel}: {model.name}" for channel, model in self.models.items())

    @property
    def source(self) -> str:
        """Sources of all, with their channels."""
        return ", ".join(f"{channel}: {model.source}" for channel, model in self.models.items())

    @cached_property
    def sha256(self) -> str:
        """Hash of the channels and of the hashes of their models."""
        text = " ".join(f"{channel}:{model.sha256}" for channel, model in self.models.items())
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def geometry(self) -> ModelGeometry:
        """What suits all: the farthest reach, and a period that is a multiple of all periods.

        Raises
        ------
        ModelError
            As `Model.geometry`; or if one makes several channels, or another pixel size.
        """
        geometries = []
        for channel, model in self.models.items():
            geometry = model.geometry
            if geometry.out_channels != 1:
                raise ModelError.not_usable(
                    model.name,
                    f"it makes {geometry.out_channels} channels of channel {channel}",
                    "Choose a model that makes one",
                )
            if not geometry.keeps_size:
                raise ModelError.not_usable(model.name, *other_scale(geometry.output_scale))
            geometries.append(geometry)
        reaches = [geometry.reach for geometry in geometries]
        local = [reach for reach in reaches if reach is not None]
        period = tuple(lcm(*ks) for ks in zip(*(g.period for g in geometries), strict=True))
        largest = tuple(
            min((size for size in sizes if size is not None), default=None)
            for sizes in zip(*(g.largest_tile for g in geometries), strict=True)
        )
        return ModelGeometry(
            reach=tuple(map(max, zip(*local, strict=True))) if len(local) == len(reaches) else None,
            period=period,
            out_channels=1,
            notes=tuple(dict.fromkeys(note for g in geometries for note in g.notes)),
            sizes=ValidSizes(period, period, largest),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should know about the models; measures their geometry."""
        found = [
            f"channel {channel}: {warning}"
            for channel, model in self.models.items()
            for warning in model.warnings
        ]
        return tuple(found)

    @property
    def info(self) -> Mapping[int, ModelInfo]:
        """Everything that is known of the model of each channel, as `Model.info`."""
        return {channel: model.info for channel, model in self.models.items()}

    @property
    def memory_per_pixel(self) -> float:
        """The most that a run of one of them holds, in bytes for each pixel of a sample."""
        return max(model.memory_per_pixel for model in self.models.values())

    @property
    def largest_per_pixel(self) -> float:
        """Bytes of the largest tensor of all of them, for each pixel of a sample."""
        return max(model.largest_per_pixel for model in self.models.values())

    @property
    def work_per_pixel(self) -> float:
        """The most that one of them multiplies for each pixel of a tile."""
        return max(model.work_per_pixel for model in self.models.values())

    @property
    def is_precision_free(self) -> bool:
        """Whether the precision of all of them was left open."""
        return all(model.is_precision_free for model in self.models.values())

    def in_precision(self, precision: str) -> ChannelModels:
        """The models in a plan's precision: these, unless theirs was left open."""
        if precision == self.precision or not self.is_precision_free:
            return self
        return ChannelModels(
            {channel: model.in_precision(precision) for channel, model in self.models.items()}
        )

    def get_ready(self) -> None:
        """As `Model.get_ready`, of each."""
        for model in self.models.values():
            model.get_ready()

    def release(self) -> None:
        """As `Model.release`, of each."""
        for model in self.models.values():
            model.release()

    def to(
        self, device: Devices = "auto", precision: str = "auto", prepare: bool | None = None
    ) -> ChannelModels:
        """Put the same models on another device (or several), or run them in another precision."""
        moved = {
            channel: model.to(device, precision, prepare) for channel, model in self.models.items()
        }
        return ChannelModels(on_one_device(moved) if device == "auto" else moved)


def _devices(model: Model) -> str:
    return ",".join(str(replica.device) for replica in model.replicas)


def on_one_device(models: Mapping[int, Model]) -> Mapping[int, Model]:
    """Put models on the first device that all of them can run on, accelerators before the CPU.

    Parameters
    ----------
    models : mapping of int to Model
        As ``"auto"`` places each for itself.

    Returns
    -------
    mapping of int to Model
        The same where they are on one device already, or where there is none for all.
    """
    devices = dict.fromkeys(model.device for model in models.values())
    cpu = torch.device("cpu")
    for device in (*(one for one in devices if one != cpu), cpu):
        if not all(model.can_move or device in (cpu, model.device) for model in models.values()):
            continue
        try:
            return {
                channel: model if model.device == device else _moved(model, device)
                for channel, model in models.items()
            }
        except ModelError:
            # one cannot be put there, such as an ONNX model where its runtime lacks the device
            continue
    return models


def _moved(model: Model, device: torch.device) -> Model:
    """The same model elsewhere; a precision that was left open stays so."""
    return model.to(device, "auto" if model.is_precision_free else model.precision)
