"""What a run over many files is asked for, as the dock and the files window say it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction.cluster.connecting import cluster_client
from napari_tessera.prediction.several import FilesProgress, Found, Report, predict_files
from napari_tessera.widgets.model_cache import ModelCache, Source
from napari_tessera.widgets.request import RunRequest
from napari_tessera.widgets.worker import model_threads

if TYPE_CHECKING:
    from napari_tessera.widgets.fields.settings import Settings


@dataclass(frozen=True)
class FilesOrder:
    """Everything a run over many files depends on.

    Parameters
    ----------
    images : tuple of Found
        The images.
    out : Path
        Folder for the results.
    source : str, Path, callable or mapping
        What `load_model` takes.
    device, precision : str
        What the model runs on, and in.
    settings : tuple of (str, value)
        Those of `plan_prediction`.
    saving : tuple of (str, value)
        ``format``, ``compression``, ``if_exists``, ``keep_folders`` and ``axes`` of
        `predict_files`.
    cluster : str
        Address of the Dask scheduler whose workers denoise; empty: on this computer.
    """

    images: tuple[Found, ...]
    out: Path
    source: Source
    device: str
    precision: str
    settings: tuple[tuple[str, Any], ...] = ()
    saving: tuple[tuple[str, Any], ...] = field(default=())
    cluster: str = ""

    def run(
        self,
        models: ModelCache,
        report: Report | None,
        progress: Callable[[FilesProgress], None],
        cancel: Event,
        warn: Callable[[str], None],
    ) -> Report:
        """Denoise; for a thread that is not the GUI's.

        Parameters
        ----------
        models : ModelCache
            Has the models that were loaded.
        report : Report or None
            Of the run to go on with.
        progress, cancel
            As for `predict_files`.
        warn : callable
            Given a line on what to know of the cluster.
        """
        model = models.get(self.source, self.device, self.precision)
        with ExitStack() as stack:
            client = None
            if self.cluster:
                client = stack.enter_context(cluster_client(self.cluster, warn=warn))
            return predict_files(
                list(self.images),
                self.out,
                model,
                report=report,
                progress=progress,
                cancel=cancel,
                client=client,
                torch_threads=None if self.cluster else model_threads(model),
                **dict(self.saving),
                **dict(self.settings),
            )


def model_and_settings(
    settings: Settings,
) -> tuple[Source, str, str, tuple[tuple[str, Any], ...]]:
    """Model, device, precision and settings of plans, out of the dock's fields.

    No image need be open; area, axes and where to save are the files window's own.

    Raises
    ------
    ValueError
        If a field cannot be read, with its reason.
    """
    advanced = settings.advanced
    fields = (settings.model.problem, settings.tiles.problem, advanced.problem)
    for problem in (*fields, advanced.run_on.wrong):
        if problem:
            raise ValueError(problem)
    request = RunRequest(
        layers=(),
        model=settings.model.value,
        channel_models=settings.model.of_channels,
        patch_size=settings.tiles.patch_size,
        overlaps=settings.tiles.overlaps,
        batch_size=advanced.batch_size,
        device=str(advanced.device.value),
        precision=str(advanced.precision.value),
        normalization=advanced.intensity.normalization,
        statistics=advanced.intensity.statistics,
        blending=advanced.joining.blending,
        tta=advanced.joining.tta,
        hot_pixels=advanced.camera.hot_pixels,
        camera_offset=advanced.camera.camera_offset,
        camera_gain=advanced.camera.camera_gain,
    )
    plan_settings = tuple(sorted(request.plan_settings.items()))
    return request.source, request.device, request.precision, plan_settings
