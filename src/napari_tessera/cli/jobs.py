"""What ``napari-tessera predict`` was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from napari_tessera.cli.clusters import ClusterChoice
    from napari_tessera.models import ChannelModels, Model


@dataclass(frozen=True)
class PredictJob:
    """What was asked for.

    Parameters
    ----------
    source : str
        The image.
    output : str
        Where the prediction goes: a path, or a URL for Zarr.
    model : str or dict of int to str
        A model, or one for each of several channels of the image.
    device, precision : str
        What `load_model` takes.
    axes : str or None
        Axes of the image; None to find out.
    channels : tuple of int or None
        Channels that are opened; None for all.
    plan : Path or None
        A plan to follow: a JSON file, or a store that a run wrote.
    settings : mapping
        Those of `plan_prediction` that were typed.
    batch_size : "auto" or int
        Tiles per run of the model.
    threads : int or None
        Threads of the model on a CPU; None for torch's choice.
    resume, overwrite : bool
        What to do where the output exists.
    saving : mapping
        What `SaveOptions` takes.
    copy_channels : bool
        Keep channels that are left out, as they are in the image.
    cluster : ClusterChoice or None
        Where tiles are predicted; None for this process.
    dry_run : bool
        Say what it would take, and do nothing.
    """

    source: str
    output: str
    model: str | dict[int, str]
    device: str = "auto"
    precision: str = "auto"
    axes: str | None = None
    channels: tuple[int, ...] | None = None
    plan: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    batch_size: Literal["auto"] | int = "auto"
    threads: int | None = None
    resume: bool = False
    overwrite: bool = False
    saving: Mapping[str, Any] = field(default_factory=dict)
    copy_channels: bool = False
    cluster: ClusterChoice | None = None
    dry_run: bool = False

    @property
    def run_settings(self) -> dict[str, int]:
        """Settings of how it is run that were typed."""
        run: dict[str, int] = {}
        if self.batch_size != "auto":
            run["batch_size"] = self.batch_size
        if self.threads is not None:
            run["torch_threads"] = self.threads
        return run

    @property
    def models(self) -> str | dict[int, str]:
        """The models by the channels that are opened, which are counted anew from 0.

        Raises
        ------
        ValueError
            If a model is given for a channel that is not opened.
        """
        if isinstance(self.model, str) or self.channels is None:
            return self.model
        for channel in self.model:
            if channel not in self.channels:
                raise ValueError(
                    f"a model is given for channel {channel}, and --channels takes "
                    f"{','.join(map(str, self.channels))}: leave one of them out"
                )
        return {self.channels.index(channel): name for channel, name in self.model.items()}

    def load(self) -> Model | ChannelModels:
        """Load the model; what is run, and not only estimated, is remembered for the dock."""
        from napari_tessera.models import load_model

        model: Model | ChannelModels = load_model(
            self.models, device=self.device, precision=self.precision
        )
        return model

    def remember(self) -> None:
        """Put the models among those that were used last."""
        from napari_tessera.models.recent import remember_model

        for name in [self.model] if isinstance(self.model, str) else self.model.values():
            remember_model(name)

    def with_channels_in_place(self) -> PredictJob:
        """The same job on the whole image, the channels taken by its region: others can be copied.

        Raises
        ------
        ValueError
            If the channels are reordered, or the region takes channels too.
        """
        if not self.copy_channels or self.channels is None:
            return self
        if list(self.channels) != sorted(set(self.channels)):
            raise ValueError(
                f"--copy-channels keeps channels in their places, --channels reorders them to "
                f"{','.join(map(str, self.channels))}: give them in ascending order"
            )
        region = dict(self.settings.get("region") or {})
        if "C" in region:
            raise ValueError("--channels and C in --region are both given: leave one of them out")
        region["C"] = list(self.channels)
        return replace(self, channels=None, settings={**self.settings, "region": region})
