"""What a run on a cluster needs of image, model and place to save to."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction import PlanError
from napari_tessera.prediction.cluster.image_place import candidates, image_place, open_place
from napari_tessera.writing.files.formats import OME_ZARR

if TYPE_CHECKING:
    from napari_tessera.prediction import PredictionPlan
    from napari_tessera.stacks import ImageStack
    from napari_tessera.widgets.request import RunRequest

_ZIP = ".zip"


def check_settings(request: RunRequest) -> None:
    """Raise PlanError where model or place to save to are none that workers have.

    Parameters
    ----------
    request : RunRequest
        The settings.

    Raises
    ------
    PlanError
        Of field ``"save"`` or ``"model"``.
    """
    save = request.save
    if save is None:
        raise PlanError(
            f"choose where to save, as OME-Zarr (NAME{OME_ZARR.ending}): what workers of a cluster "
            "denoise is not kept in memory",
            "save",
        )
    name = save.path.name
    if save.file_format is not OME_ZARR:
        raise PlanError(
            f"{name} is written when all is done, by one process: a run on a cluster is saved as "
            f"OME-Zarr (NAME{OME_ZARR.ending})",
            "save",
        )
    if name.casefold().endswith(_ZIP):
        raise PlanError(
            f"{name} is one file, which workers of a cluster cannot write together: choose "
            f"{name[: -len(_ZIP)]}",
            "save",
        )
    source = request.source
    models = list(source.values()) if isinstance(source, Mapping) else [source]
    if not all(isinstance(model, str | Path) for model in models):
        raise PlanError(
            "the model is an object in the memory of this computer, and workers of a cluster load "
            "theirs from a file: save it, and choose that file",
            "model",
        )


def check_image(stack: ImageStack, name: str) -> None:
    """Raise PlanError where workers cannot open an image: without looking at its pixels.

    Takes time: not for the GUI thread.

    Parameters
    ----------
    stack : ImageStack
        The image, as it is open here.
    name : str
        What it is called.

    Raises
    ------
    PlanError
        Of field ``"image"``.
    """
    for place in candidates(stack):
        with suppress(ValueError, OSError), closing(open_place(place)) as opened:  # type: ignore[type-var]
            if _looks_like(opened) == _looks_like(stack):
                return
    raise PlanError(
        f"{name} is no file as it is shown here, and workers of a cluster read the image "
        "themselves: save the layer as OME-Zarr, and open that",
        "image",
    )


def check_pixels(stack: ImageStack, plan: PredictionPlan, name: str) -> None:
    """Raise PlanError where what workers can open has other pixels than an image.

    Parameters
    ----------
    stack : ImageStack
        The image, as it is open here.
    plan : PredictionPlan
        The plan that was made for it.
    name : str
        What it is called.

    Raises
    ------
    PlanError
        Of field ``"image"``.
    """
    try:
        image_place(stack, plan)
    except (ValueError, OSError):
        raise PlanError(
            f"{name} shows other pixels than the file that it comes from, which is what workers of "
            "a cluster read: save the layer as OME-Zarr, and open that",
            "image",
        ) from None


def _looks_like(stack: ImageStack) -> tuple[Any, ...]:
    shape, dtype = tuple(stack.original_data_shape), str(stack.data_dtype)
    return stack.original_axes, shape, dtype
