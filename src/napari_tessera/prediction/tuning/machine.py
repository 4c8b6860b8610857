"""How fast this machine is with a model: reading, the model, writing, and all of it together."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import psutil
from numpy.typing import NDArray

from napari_tessera.prediction.cores import model_threads
from napari_tessera.prediction.geometry import Sizes
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.planning import plan_prediction
from napari_tessera.prediction.tuning.best_tiles import Measured, Tuned, best_tiles
from napari_tessera.prediction.tuning.limits import matrix_rate
from napari_tessera.prediction.tuning.pipelines import ARRAYS, READ, WRITE, ZARRS, Runs
from napari_tessera.prediction.tuning.sample_image import bytes_needed, noisy_image, write_zarr
from napari_tessera.prediction.tuning.stopping import Listener, Tell
from napari_tessera.prediction.tuning.timing import middle
from napari_tessera.stacks import ArrayStack

if TYPE_CHECKING:
    from napari_tessera.models import Model

SIZE = 1024
"""Edge of the image that is measured with, in pixels."""

SMALLEST = 64
"""Smallest edge: less is over before it can be told what took the time."""

PLANES = 16
"""Planes of the image for a model of volumes."""

SECONDS = 28.0
"""How long a measuring takes at most, about."""

_MATRIX, _TILES = 0.06, 0.36
"""Parts of the time for products of matrices, and for tile sizes; runs have the rest."""

_RUNS = 9.0
"""Runs of the model over the image that have to fit into that, spare time for the rest included."""


class MeasuringRefusedError(ValueError):
    """What was asked for cannot be measured here; the message says why, and the way out."""


@dataclass(frozen=True)
class MachineReport:
    """What was measured. Pixels are those of the image, all channels and planes together.

    Parameters
    ----------
    device, device_name : str
        Where the model runs, as ``load_model`` takes it and as people call it.
    threads : int
        Threads of the model on a CPU.
    model_name, model_sha256, precision, preparation : str
        The model, the type of number that it computes with, and what was done to it for speed.
    multiplications_per_pixel : float or None
        What it multiplies for each pixel of a tile; None where that cannot be seen (ONNX Runtime,
        functions that leave PyTorch), or hardly anything is multiplied.
    axes : str
        Axes of the image.
    shape : tuple of int
        Of the image that runs were measured with.
    wanted_size : int
        Edge along Y and X that was asked for: the image is smaller where a run would take too long.
    matrix_flops : float
        Operations a second of a dense float32 product of matrices.
    model_flops : float or None
        Operations a second of the model on the fastest tiles, a multiplication and an addition
        counted as two; what is not counted, as activations, is extra. None as above.
    tuned : Tuned
        Tile and batch sizes.
    read, write, arrays, zarrs : float
        Pixels a second: tiles read from Zarr (overlap read more than once, counted once), a known
        result written to OME-Zarr, whole runs from array to array and from Zarr to Zarr.
    limited_by : str
        What whole runs from Zarr to Zarr wait for most: ``"reading"``, ``"model"``, ``"writing"``.
    seconds : float
        How long all of it took.
    """

    device: str
    device_name: str
    threads: int
    model_name: str
    model_sha256: str
    precision: str
    preparation: str
    multiplications_per_pixel: float | None
    axes: str
    shape: tuple[int, ...]
    wanted_size: int
    matrix_flops: float
    model_flops: float | None
    tuned: Tuned
    read: float
    write: float
    arrays: float
    zarrs: float
    limited_by: str
    seconds: float

    @property
    def model_fraction(self) -> float | None:
        """Part of the rate of products of matrices that the model reaches."""
        return None if self.model_flops is None else self.model_flops / self.matrix_flops

    def to_json(self) -> dict[str, Any]:
        """The same as JSON takes it, with the units in the names."""
        return {
            "device": self.device,
            "device_name": self.device_name,
            "threads": self.threads,
            "model": self.model_name,
            "model_sha256": self.model_sha256,
            "precision": self.precision,
            "preparation": self.preparation,
            "axes": self.axes,
            "image_shape_pixels": list(self.shape),
            "wanted_size_pixels": self.wanted_size,
            "multiplications_per_pixel": self.multiplications_per_pixel,
            "matrix_product_gflop_per_second": self.matrix_flops / 1e9,
            "model_gflop_per_second": None if self.model_flops is None else self.model_flops / 1e9,
            "model_fraction_of_matrix_product": self.model_fraction,
            "tiles": [_tile(one) for one in self.tuned.table],
            "tiles_left_out_pixels": [list(size) for size in self.tuned.left_out],
            "best": _tile(self.tuned.best),
            "reading_megapixels_per_second": self.read / 1e6,
            "writing_megapixels_per_second": self.write / 1e6,
            "array_to_array_megapixels_per_second": self.arrays / 1e6,
            "zarr_to_zarr_megapixels_per_second": self.zarrs / 1e6,
            "limited_by": self.limited_by,
            "seconds": self.seconds,
        }


def measure_machine(
    model: Model,
    *,
    size: int = SIZE,
    overlaps: Sizes = "auto",
    torch_threads: int | None = None,
    seconds: float = SECONDS,
    folder: Path | None = None,
    cancel: Event | None = None,
    progress: Tell | None = None,
) -> MachineReport:
    """Measure this machine with a model, in this thread.

    Parameters
    ----------
    model : Model
        The model, on its device.
    size : int
        Edge of the image along Y and X, in pixels. A model of volumes gets `PLANES` planes.
    overlaps : "auto", int or sequence of int
        Total overlap of neighbouring tiles.
    torch_threads : int, optional
        Threads of the model on a CPU; by default as `model_threads`, else those of this thread.
    seconds : float
        How long it may take, about; a slow model gets a smaller image.
    folder : Path, optional
        Where a temporary folder is made, and removed whatever happens; by default the system's
        place for such.
    cancel : threading.Event, optional
        Looked at between two runs of the model.
    progress : callable, optional
        Called with a `MeasuringProgress`, in this thread.

    Returns
    -------
    MachineReport

    Raises
    ------
    MeasuringRefusedError
        If the size is too small or too large for memory or disk.
    MeasuringStoppedError
        If it was stopped.
    Exception
        Whatever the model, reading or writing raises.
    """
    from napari_tessera.models import available_devices
    from napari_tessera.models.threads import own_threads
    from napari_tessera.models.work import UNSEEN_WORK

    began = time.perf_counter()
    check_size(model, size, folder)
    place, axes = _place(folder), _axes(model)
    listener = Listener(cancel, progress)
    model = _as_planned(model, axes)
    with own_threads(model_threads(model) if torch_threads is None else torch_threads):
        limit = matrix_rate(model.device, _MATRIX * seconds, listener.part(0, _MATRIX))
        tuned = best_tiles(
            model,
            overlaps=overlaps,
            seconds=_TILES * seconds,
            listener=listener.part(_MATRIX, _TILES),
        )
        threads = _threads()
    left = 1 - _MATRIX - _TILES
    shape = _shape(axes, model, _affordable(model, tuned, size, left * seconds / _RUNS))
    image = noisy_image(shape)
    with tempfile.TemporaryDirectory(prefix="tessera-bench-", dir=place) as temporary:
        stored = Path(temporary, "in.zarr")
        write_zarr(stored, image)
        plan = _plan(image, axes, model, tuned, overlaps, torch_threads)
        runs = Runs(
            plan, model, image, stored, Path(temporary), listener.part(_MATRIX + _TILES, left)
        )
        times = runs.measure(left * seconds)
    rates = {name: prod(shape) / middle(each) for name, each in times.items()}
    listener.at(1.0, "done")
    name = str(model.device)
    label = next((each.label for each in available_devices() if each.name == name), name)
    best = tuned.best
    work = None if model.work_per_pixel == UNSEEN_WORK else model.work_per_pixel
    computed = best.batch_size * prod(best.patch_size) / best.seconds
    return MachineReport(
        device=name,
        device_name=label,
        threads=threads,
        model_name=model.name,
        model_sha256=model.sha256,
        precision=model.precision,
        preparation=model.preparation,
        multiplications_per_pixel=work,
        axes=axes,
        shape=shape,
        wanted_size=size,
        matrix_flops=limit,
        model_flops=None if work is None else 2 * work * computed,
        tuned=tuned,
        read=rates[READ],
        write=rates[WRITE],
        arrays=rates[ARRAYS],
        zarrs=rates[ZARRS],
        limited_by=_limit(runs.limited_by, rates, best),
        seconds=time.perf_counter() - began,
    )


def check_size(model: Model, size: int, folder: Path | None = None) -> None:
    """Raise MeasuringRefusedError where an image of a size is too small, or there is no room.

    Parameters
    ----------
    model, size, folder
        As for `measure_machine`.
    """
    place, axes = _place(folder), _axes(model)
    if size < SMALLEST:
        raise MeasuringRefusedError(
            f"size {size} is too small to measure with: use {SMALLEST} or more"
        )
    shape = _shape(axes, model, size)
    channels = model.geometry.out_channels if "C" not in axes else 1
    memory, disk = bytes_needed(shape, channels)
    # half of it, as a run and the rest of the machine need some too
    room = psutil.virtual_memory().available / 2
    if memory > room:
        raise MeasuringRefusedError(_too_large(size, memory, room, "memory"))
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise MeasuringRefusedError(
            f"nothing can be written to {place} ({error.strerror}): set TMPDIR to another folder"
        ) from None
    if disk > free:
        raise MeasuringRefusedError(_too_large(size, disk, free, f"{place}"))


def _too_large(size: int, needed: float, free: float, where: str) -> str:
    fitting = max(SMALLEST, int(size * (free / needed) ** 0.5) // SMALLEST * SMALLEST)
    return (
        f"size {size} takes {needed / 1e9:.1f} GB of {where}, {free / 1e9:.1f} GB are free for it: "
        f"use {fitting} or less"
    )


def _as_planned(model: Model, axes: str) -> Model:
    """The model in the precision that a plan chooses, where that is left open."""
    if not model.is_precision_free:
        return model
    image = noisy_image(_shape(axes, model, SMALLEST))
    return model.in_precision(plan_prediction(ArrayStack(image, axes), model).precision)


def _place(folder: Path | None) -> Path:
    return Path(tempfile.gettempdir() if folder is None else folder)


def _axes(model: Model) -> str:
    return ("C" if (model.in_channels or 1) > 1 else "") + "ZYX"[-model.spatial_dims :]


def _shape(axes: str, model: Model, size: int) -> tuple[int, ...]:
    sizes = {"C": model.in_channels or 1, "Z": PLANES, "Y": size, "X": size}
    return tuple(sizes[letter] for letter in axes)


def _affordable(model: Model, tuned: Tuned, size: int, seconds: float) -> int:
    """Edge of an image that a run takes no longer over, in pixels; a tile's at least."""
    planes = PLANES if model.spatial_dims == 3 else 1
    edge = int((tuned.pixels_per_second * seconds / planes) ** 0.5)
    if edge >= size:
        return size
    return min(size, max(edge // SMALLEST * SMALLEST, tuned.patch_size[-1], SMALLEST))


def _plan(
    image: NDArray[Any],
    axes: str,
    model: Model,
    tuned: Tuned,
    overlaps: Sizes,
    torch_threads: int | None,
) -> PredictionPlan:
    return plan_prediction(
        ArrayStack(image, axes),
        model,
        patch_size=tuned.patch_size,
        overlaps=overlaps,
        batch_size=tuned.batch_size,
        torch_threads=torch_threads,
    )


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _limit(told: str | None, rates: Mapping[str, float], best: Measured) -> str:
    """What whole runs wait for; the slowest stage where one was over too soon to tell."""
    if told is not None:
        return {"read": READ, "write": WRITE}.get(told, told)
    stages = {READ: rates[READ], "model": best.pixels_per_second, WRITE: rates[WRITE]}
    return min(stages, key=stages.__getitem__)


def _tile(one: Measured) -> dict[str, Any]:
    return {
        "patch_size_pixels": list(one.patch_size),
        "overlaps_pixels": _list(one.overlaps),
        "batch_size": one.batch_size,
        "seconds_per_batch": one.seconds,
        "core_megapixels_per_second": one.pixels_per_second / 1e6,
        "runs": one.runs,
    }


def _list(sizes: Sequence[int]) -> list[int]:
    return [int(size) for size in sizes]
