"""Reading a model file of this package: network, document and test tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_tessera.models.architectures import ArchitectureError, UNet, fill_unet
from napari_tessera.models.errors import ModelError
from napari_tessera.models.own_format.document import OwnFormatError, TrainedDocument
from napari_tessera.models.own_format.header import document_text
from napari_tessera.models.ways_out import SAVE_AGAIN

TEST_INPUT, TEST_OUTPUT = "test_input", "test_output"
MOST_TEST_PIXELS = 2**26

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Trained:
    """A model file of this package, read.

    Parameters
    ----------
    network : UNet
        On the CPU, float32, in evaluation mode, without gradients.
    document : TrainedDocument
        What is known of it.
    test : tuple of numpy.ndarray, or None
        Input and expected output in grey levels, float32 NC(Z)YX, sizes that the network takes.
    sha256 : str
        Of the file.
    problem : str
        Why the test tensors in the file are of no use; empty where they are, or are not there.
    """

    network: UNet
    document: TrainedDocument
    test: tuple[Floats, Floats] | None
    sha256: str
    problem: str = ""


def read_trained(path: Path) -> Trained:
    """Read a model file of this package.

    Raises
    ------
    ModelError
        If it is damaged, or a model of another kind.
    OSError
        If it cannot be read.
    """
    # the room of checkpoints loads files of this kind too
    from napari_tessera.models.checkpoints.reading import read_checkpoint, weights_of

    content = path.read_bytes()
    text = document_text(content)
    if text is None:
        raise ModelError.not_usable(
            path.name,
            "it is no model file that napari-tessera trained",
            "Only these can be exported: train one, or use this file as it is",
        )
    state = weights_of(path, read_checkpoint(path, content))
    return trained_from(path.name, hashlib.sha256(content).hexdigest(), text, state)


def trained_from(name: str, sha256: str, text: str, state: Mapping[str, Tensor]) -> Trained:
    """Put a model together.

    Parameters
    ----------
    name : str
        The file's, for messages.
    sha256 : str
        Of the file.
    text : str
        The document, as `document_text` found it.
    state : mapping of str to Tensor
        All tensors of the file.

    Raises
    ------
    ModelError
        If the document says what no model is, or the weights are not those of its network.
    """
    weights = dict(state)
    given, expected = (weights.pop(key, None) for key in (TEST_INPUT, TEST_OUTPUT))
    try:
        document = TrainedDocument.from_json(text)
        network = fill_unet(document.settings, weights)
    except OwnFormatError as error:
        raise ModelError.not_loadable(name, str(error), error.way_out) from error
    except ArchitectureError as error:
        raise ModelError.not_loadable(name, str(error), SAVE_AGAIN) from error
    if given is None and expected is None:
        return Trained(network, document, None, sha256)
    problem = _test_problem(document, given, expected)
    if problem or given is None or expected is None:
        return Trained(network, document, None, sha256, problem)
    return Trained(network, document, (given.numpy(), expected.numpy()), sha256)


def _test_problem(document: TrainedDocument, given: Tensor | None, expected: Tensor | None) -> str:
    """Why test tensors cannot be used; empty where they can."""
    if given is None or expected is None:
        missing = TEST_INPUT if given is None else TEST_OUTPUT
        return f"its {missing} is missing"
    settings = document.settings
    shapes = tuple(given.shape), tuple(expected.shape)
    for key, shape, channels in (
        (TEST_INPUT, shapes[0], settings.in_channels),
        (TEST_OUTPUT, shapes[1], settings.out_channels),
    ):
        if len(shape) != settings.spatial_dims + 2 or shape[1] != channels or 0 in shape:
            return f"its {key} has shape {shape}"
    if (shapes[0][0], *shapes[0][2:]) != (shapes[1][0], *shapes[1][2:]):
        return f"its {TEST_INPUT} and {TEST_OUTPUT} have shapes {shapes[0]} and {shapes[1]}"
    if any(size % 2**settings.depth for size in shapes[0][2:]):
        return f"its {TEST_INPUT} has shape {shapes[0]}, no multiple of {2**settings.depth}"
    if max(given.numel(), expected.numel()) > MOST_TEST_PIXELS:
        return f"its {TEST_INPUT} has {given.numel():,} pixels, more than {MOST_TEST_PIXELS:,}"
    for key, value in ((TEST_INPUT, given), (TEST_OUTPUT, expected)):
        kind = str(value.dtype).removeprefix("torch.")
        if kind != "float32":
            return f"its {key} holds {kind}, not float32"
    return ""
