"""``save_trained``: one file with all that a prediction needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from napari_tessera.models.architectures import ArchitectureError, UNet, UNetSettings, fill_unet
from napari_tessera.models.errors import ModelError
from napari_tessera.models.own_format.document import OwnFormatError, TrainedDocument
from napari_tessera.models.own_format.header import KEY
from napari_tessera.models.own_format.reading import TEST_INPUT, TEST_OUTPUT
from napari_tessera.models.own_format.tensors import fitted, grey_levels_through
from napari_tessera.whole_files import whole_file


class GreyLevels(Protocol):
    """Statistics of the training part: one number for each channel."""

    @property
    def means(self) -> tuple[float, ...]:
        """Of the input."""

    @property
    def stds(self) -> tuple[float, ...]:
        """Of the input."""

    @property
    def target_means(self) -> tuple[float, ...] | None:
        """Of what was trained towards; None where that is the input."""

    @property
    def target_stds(self) -> tuple[float, ...] | None:
        """Of what was trained towards; None where that is the input."""


def save_trained(
    path: str | Path,
    network: nn.Module,
    *,
    settings: UNetSettings,
    axes: str,
    statistics: GreyLevels,
    training: Mapping[str, Any],
    name: str | None = None,
    test_input: NDArray[Any] | None = None,
    licence: str | None = None,
    authors: Sequence[str] = (),
    overwrite: bool = True,
) -> Path:
    """Write a trained model into one file.

    The file appears as a whole: whatever goes wrong, one that had been there stays as it was.

    Parameters
    ----------
    path : str or Path
        Where to: ``NAME.safetensors``.
    network : nn.Module
        A `UNet` of these settings; on any device, in any mode. It is not changed.
    settings : UNetSettings
        What it is made of.
    axes : {"YX", "ZYX"}
        Spatial axes.
    statistics : GreyLevels
        Means and deviations that its grey levels are normalized with.
    training : mapping
        How it was trained; plain values.
    name : str, optional
        What people call it; by default the file's name.
    test_input : numpy.ndarray, optional
        A part of the image, C(Z)YX or NC(Z)YX in grey levels: the model's own test. It is cut or
        padded by reflection to sizes that the network takes, and left out where a pixel is not
        finite.
    licence : str, optional
        SPDX identifier of the licence of the weights.
    authors : sequence of str
        Names.
    overwrite : bool
        Whether a file that is there may be replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        If weights are not finite, or are not those of the settings.
    OSError
        If the disk is full, or the file cannot be written: one line.
    """
    path = Path(path)
    try:
        document = TrainedDocument(
            settings,
            _floats(statistics.means) or (),
            _floats(statistics.stds) or (),
            _floats(statistics.target_means),
            _floats(statistics.target_stds),
            name or path.stem,
            training,
            licence,
            tuple(authors),
        )
        if axes != document.axes:
            raise OwnFormatError(f"its axes {axes!r} are not the network's {document.axes!r}")
        state = _state(network)
        filled = fill_unet(settings, state)
    except (OwnFormatError, ArchitectureError) as error:
        raise ModelError(
            f"{path.name} is not saved: {error}. Train again with a smaller learning rate where "
            "weights are not finite"
        ) from error
    state |= _test_tensors(filled, document, test_input)
    content = save(state, {KEY: document.to_json()})
    with whole_file(path, overwrite=overwrite) as partial:
        partial.write_bytes(content)
    return path


def _state(network: nn.Module) -> dict[str, Tensor]:
    """Weights on the CPU, each with memory of its own: float32, and counts as they are."""
    return {
        key: torch.empty_like(
            value,
            device="cpu",
            dtype=torch.float32 if value.is_floating_point() else value.dtype,
            memory_format=torch.contiguous_format,
        ).copy_(value.detach())
        for key, value in network.state_dict().items()
    }


def _test_tensors(
    network: UNet, document: TrainedDocument, test_input: NDArray[Any] | None
) -> dict[str, Tensor]:
    if test_input is None:
        return {}
    given = fitted(np.asarray(test_input, np.float32), document.settings)
    if not np.isfinite(given).all():
        return {}
    made = grey_levels_through(network, document, given)
    if not np.isfinite(made).all():
        return {}
    return {TEST_INPUT: torch.from_numpy(given), TEST_OUTPUT: torch.from_numpy(made)}


def _floats(values: Sequence[float] | None) -> tuple[float, ...] | None:
    """Numbers that float32 holds, as other software rounds them to it: all then do the same.

    A mean that is hundreds of deviations from zero would else be subtracted with another rounding
    there, which a network may amplify to more than 1e-5 of the range.
    """
    with np.errstate(over="ignore"):
        return None if values is None else tuple(float(np.float32(value)) for value in values)
