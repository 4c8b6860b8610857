"""Checkpoints laid out as CAREamics writes them, with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..architectures.weights import unet_state


def network_settings(**changed: Any) -> dict[str, Any]:
    """What CAREamics writes of a network."""
    return {
        "architecture": "UNet",
        "conv_dims": 2,
        "num_classes": 1,
        "in_channels": 1,
        "depth": 2,
        "num_channels_init": 4,
        "residual": False,
        "final_activation": "None",
        "n2v2": False,
        "independent_channels": True,
        "use_batch_norm": True,
        **changed,
    }


def weights_for(model: Mapping[str, Any], seed: int = 0) -> dict[str, Tensor]:
    """Weights that go with settings of a network, by their names in a checkpoint."""
    state = unet_state(
        model["conv_dims"],
        model["in_channels"],
        model["num_classes"],
        model["depth"],
        model["num_channels_init"],
        independent=model["independent_channels"],
        n2v2=model["n2v2"],
        seed=seed,
    )
    return {f"model.{key}": value for key, value in state.items()}


def mean_std(**changed: Any) -> dict[str, Any]:
    """Settings of a normalization."""
    return {
        "name": "mean_std",
        "per_channel": True,
        "skip_target": False,
        "input_means": [100.0],
        "input_stds": [20.0],
        "target_means": None,
        "target_stds": None,
        **changed,
    }


def new_layout(
    model: Mapping[str, Any] | None = None,
    normalization: Mapping[str, Any] | None = None,
    *,
    algorithm: str = "n2v",
    version: str = "0.3.0",
    data: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A checkpoint as CAREamics writes it from 0.2 on."""
    model = network_settings() if model is None else model
    return {
        "epoch": 3,
        "global_step": 12,
        "pytorch-lightning_version": "2.6.6",
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.2)}},
        "optimizer_states": [],
        "hyper_parameters": {"algorithm_config": {"algorithm": algorithm, "model": dict(model)}},
        "datamodule_hyper_parameters": {
            "data_config": {
                "axes": "YX",
                "normalization": dict(mean_std() if normalization is None else normalization),
                "channels": None,
                **(data or {}),
            }
        },
        "careamics_info": {"version": version, "experiment_name": "fish"},
        "state_dict": weights_for(model),
    }


def old_layout(
    model: Mapping[str, Any] | None = None, *, algorithm: str = "n2v", **data: Any
) -> dict[str, Any]:
    """A checkpoint as CAREamics 0.1 writes it: statistics are text."""
    model = network_settings() if model is None else model
    return {
        "epoch": 3,
        "hyper_parameters": {
            "version": "0.1.0",
            "experiment_name": "fish",
            "algorithm_config": {"algorithm": algorithm, "model": dict(model)},
            "data_config": {
                "axes": "YX",
                "image_means": ["1.0e+02"],
                "image_stds": ["20"],
                "target_means": [],
                "target_stds": [],
                **data,
            },
        },
        "state_dict": weights_for(model),
    }


def saved(content: object, folder: Path, name: str = "last.ckpt", *, legacy: bool = False) -> Path:
    """Write a checkpoint."""
    path = folder / name
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path
