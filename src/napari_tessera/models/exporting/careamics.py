"""A checkpoint that CAREamics 0.3 loads and predicts with.

Layout and limits are facts of CAREamics 0.3.5: weights under ``model.``, the algorithm in
``hyper_parameters``, the data in ``datamodule_hyper_parameters``, the rest in ``careamics_info``.
What matters for training alone (patches, masks, augmentation) is written as far as CAREamics takes
it, so that training can go on there.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.errors import ModelError
from napari_tessera.models.own_format.document import TrainedDocument
from napari_tessera.models.own_format.reading import Trained, read_trained
from napari_tessera.whole_files import check_place, whole_file

VERSION = "0.3.0"
"""Of CAREamics' configuration, which all of its 0.3 have."""

LIGHTNING = "2.5.0"
"""Version of Lightning that a checkpoint says it was written by; newer ones read it as it is."""

LEAST_FEATURES, MOST_FEATURES, MOST_LEVELS = 8, 1024, 10
_ELSE = "Export it as a BioImage.IO package or TorchScript"


def export_careamics(
    model_file: str | Path,
    out: str | Path,
    *,
    overwrite: bool = False,
    authors: Sequence[str] = (),
    licence: str | None = None,
) -> Path:
    """Write a trained model as a checkpoint of CAREamics.

    Parameters
    ----------
    model_file, out, overwrite
        As `export_model`.
    authors, licence
        Of no use: such a checkpoint has no place for them.

    Raises
    ------
    ModelError
        If the model is of another kind, or has a network that CAREamics does not take.
    OSError
        If a file cannot be read or written.
    """
    out = Path(out)
    check_place(out, overwrite=overwrite)
    path = Path(model_file)
    trained = read_trained(path)
    why = _beyond(trained.document)
    if why:
        raise ModelError(f"{path.name} cannot be exported for CAREamics: {why}. {_ELSE}")
    # by way of memory: PyTorch's own writing tells of a full disk without the system's number
    content = io.BytesIO()
    torch.save(checkpoint(trained), content)
    with whole_file(out, overwrite=overwrite) as partial:
        partial.write_bytes(content.getvalue())
    return out


def checkpoint(trained: Trained) -> dict[str, Any]:
    """The content of the checkpoint: tensors, containers, numbers and text alone."""
    document = trained.document
    own = _mapping(document.training.get("settings"))
    seed = _number(own, "seed", 1, 1, 2**31 - 1)
    return {
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": LIGHTNING,
        "state_dict": _state(trained),
        # Lightning refuses to go on training without them, and begins anew where they are empty
        "optimizer_states": [],
        "lr_schedulers": [],
        "hyper_parameters": {"algorithm_config": _algorithm(document, own, seed)},
        "datamodule_hyper_parameters": {"data_config": _data(document, own, seed)},
        "careamics_info": {"version": VERSION, "experiment_name": _experiment(document.name)},
    }


def _beyond(document: TrainedDocument) -> str:
    """Why CAREamics would refuse the network; empty where it takes it."""
    settings = document.settings
    features, depth = settings.features, settings.depth
    if not LEAST_FEATURES <= features <= MOST_FEATURES or features % 2:
        return (
            f"it has {features} features, and CAREamics takes even numbers from {LEAST_FEATURES} "
            f"to {MOST_FEATURES}"
        )
    if depth > MOST_LEVELS:
        return f"it has depth {depth}, and CAREamics takes at most {MOST_LEVELS}"
    if settings.activation != "none":
        return f"it ends in {settings.activation}, and CAREamics trains without"
    if settings.n2v2 and _is_supervised(document):
        return "it was trained with a target and has N2V2's layers"
    mixed = settings.in_channels != settings.out_channels
    if mixed and settings.groups > 1:
        return (
            f"its channels are independent, and it makes {settings.out_channels} of "
            f"{settings.in_channels}"
        )
    return ""


def _is_supervised(document: TrainedDocument) -> bool:
    method = document.training.get("method")
    mixed = document.settings.in_channels != document.settings.out_channels
    return method == "supervised" or mixed or document.target_means is not None


def _state(trained: Trained) -> dict[str, Tensor]:
    """Weights under CAREamics' names; batch norms, which it has in any case, as they are made."""
    state = {
        f"model.{key}": value.detach().clone()
        for key, value in trained.network.state_dict().items()
    }
    if trained.document.settings.batch_norm:
        return state
    for key in [key for key in state if re.search(r"\.conv[12]\.weight$", key)]:
        width = len(state[key])
        norm = key.removesuffix("weight").replace(".conv", ".batch_norm")
        made = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
        state |= {f"{norm}{name}": torch.full((width,), value) for name, value in made.items()}
        state[f"{norm}num_batches_tracked"] = torch.tensor(0)
    return state


def _algorithm(document: TrainedDocument, own: Mapping[str, Any], seed: int) -> dict[str, Any]:
    settings = document.settings
    supervised = _is_supervised(document)
    algorithm: dict[str, Any] = {
        "algorithm": "care" if supervised else "n2v",
        "loss": ("mae" if own.get("loss") == "l1" else "mse") if supervised else "n2v",
        "model": {
            "architecture": "UNet",
            "conv_dims": settings.spatial_dims,
            "num_classes": settings.out_channels,
            "in_channels": settings.in_channels,
            "depth": settings.depth,
            "num_channels_init": settings.features,
            "residual": settings.residual,
            "final_activation": "None",
            "n2v2": settings.n2v2,
            # of one channel it makes no difference, and of one to several CAREamics refuses it
            "independent_channels": settings.independent
            and settings.in_channels == settings.out_channels,
            "use_batch_norm": settings.batch_norm,
        },
        "optimizer": {"name": "AdamW", "parameters": {}},
        "lr_scheduler": {"name": "ReduceLROnPlateau", "parameters": {}},
        "monitor_metric": "val_loss",
    }
    if not supervised:
        algorithm["n2v_config"] = _manipulation(settings, own, seed)
    return algorithm


def _manipulation(settings: UNetSettings, own: Mapping[str, Any], seed: int) -> dict[str, Any]:
    axis = {"x": "horizontal", "y": "vertical"}.get(str(own.get("struct_axis")))
    span = _number(own, "struct_span", 5, 3, 15)
    return {
        "name": "N2VManipulate",
        "roi_size": _number(own, "mask_window", 11, 3, 21),
        "masked_pixel_percentage": float(_number(own, "masked_percent", 0.2, 0.05, 10.0)),
        "strategy": "median" if settings.n2v2 else "uniform",
        "struct_mask": None if axis is None else {"axes": axis, "span": span},
        "seed": seed,
    }


def _data(document: TrainedDocument, own: Mapping[str, Any], seed: int) -> dict[str, Any]:
    settings = document.settings
    several = settings.in_channels > 1 or settings.out_channels > 1

    def listed(values: tuple[float, ...] | None) -> list[float] | None:
        return None if values is None else list(values)

    return {
        "mode": "training",
        "data_type": "array",
        "axes": f"{'C' if several else ''}{document.axes}",
        "patching": {"name": "stratified", "patch_size": _patch(settings, own), "seed": seed},
        "normalization": {
            "name": "mean_std",
            "per_channel": True,
            "skip_target": False,
            "input_means": listed(document.means),
            "input_stds": listed(document.stds),
            "target_means": listed(document.target_means),
            "target_stds": listed(document.target_stds),
        },
        "batch_size": _number(own, "batch_size", 16, 1, 4096),
        "in_memory": True,
        "seed": seed,
    }


def _patch(settings: UNetSettings, own: Mapping[str, Any]) -> list[int]:
    """The patch that it was trained with where CAREamics takes it: powers of 2 from 8 on."""
    period, found = 2**settings.depth, own.get("patch_size")
    if (
        isinstance(found, list)
        and len(found) == settings.spatial_dims
        and all(isinstance(size, int) and size >= max(8, period) for size in found)
        and all(size & (size - 1) == 0 for size in found)
    ):
        return list(found)
    usual = (64, 64) if settings.spatial_dims == 2 else (16, 64, 64)
    return [max(size, period) for size in usual]


def _experiment(name: str) -> str:
    """A name as CAREamics takes it: letters, numbers, underscores, dashes and spaces."""
    return re.sub(r"[^a-zA-Z0-9_\- ]+", "_", name).strip()[:100] or "napari-tessera"


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _number(own: Mapping[str, Any], key: str, usual: float, least: float, most: float) -> Any:
    """A setting of the training within CAREamics' limits, of the type of the usual value."""
    found = own.get(key, usual)
    if isinstance(found, bool) or not isinstance(found, int | float):
        found = usual
    return type(usual)(min(max(found, least), most))
