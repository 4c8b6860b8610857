"""What an ONNX model says of its input and output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from napari_tessera.models.onnx.operations import RefusedGraphError
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.models.ways_out import CHANNELS_FIRST

_DTYPES = {
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.FLOAT16: np.float16,
    onnx.TensorProto.DOUBLE: np.float64,
    onnx.TensorProto.UINT8: np.uint8,
    onnx.TensorProto.INT8: np.int8,
    onnx.TensorProto.UINT16: np.uint16,
    onnx.TensorProto.INT16: np.int16,
    onnx.TensorProto.UINT32: np.uint32,
    onnx.TensorProto.INT32: np.int32,
    onnx.TensorProto.INT64: np.int64,
}

_ONE_IMAGE = "Export a network that takes one image and returns one"

_CHANNELS = 4
"""A last axis of so few numbers holds channels, unless the second one does."""


@dataclass(frozen=True)
class Signature:
    """What goes in.

    Parameters
    ----------
    name : str
        Of the input.
    dtype : dtype
        Of the input.
    shape : tuple of (int or None), or None
        NC(Z)YX; None along an axis of any size, None altogether where the file does not say.
    channels_last : bool
        Whether the model itself has its channels last, as those of TensorFlow have.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...] | None
    channels_last: bool = False

    @property
    def spatial_dims(self) -> int | None:
        """2 or 3; None where the file does not say."""
        return None if self.shape is None else len(self.shape) - 2

    @property
    def batch(self) -> int | None:
        """Samples at once; None for any number."""
        return self.shape[0] if self.shape else None

    @property
    def in_channels(self) -> int | None:
        """Channels; None where the file does not say."""
        return self.shape[1] if self.shape else None

    @property
    def sizes(self) -> ValidSizes | None:
        """The fixed sizes; None where no axis has one."""
        if self.shape is None or not any(self.shape[2:]):
            return None
        space = self.shape[2:]
        return ValidSizes(
            tuple(size or 1 for size in space), tuple(0 if s else 1 for s in space), space
        )


def read_signature(model: onnx.ModelProto, axes: str | None = None) -> Signature:
    """Read what a model takes.

    Parameters
    ----------
    model : onnx.ModelProto
        The model.
    axes : str, optional
        Letters of the input's axes where they are known from elsewhere: of N, C, Z, Y, X, and 1
        for others, which have a single entry. Without them it must be NC(Z)YX, or N(Z)YXC with
        few channels.

    Raises
    ------
    RefusedGraphError
        If it is not one image in and one out.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    weights |= {sparse.values.name for sparse in model.graph.sparse_initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise RefusedGraphError(
            f"it takes {_count(len(inputs), 'input')} "
            f"and returns {_count(len(model.graph.output), 'output')}",
            _ONE_IMAGE,
        )
    for value in (inputs[0], model.graph.output[0]):
        if value.type.WhichOneof("value") not in ("tensor_type", None):
            raise RefusedGraphError(f"{value.name[:80]!r} is no tensor", _ONE_IMAGE)
    taken = inputs[0].type.tensor_type
    if taken.elem_type not in _DTYPES:
        raise RefusedGraphError(
            f"its input {inputs[0].name[:80]!r} is of type {_type_name(taken.elem_type)}",
            "Export it for float32",
        )
    dtype: np.dtype[Any] = np.dtype(_DTYPES[taken.elem_type])
    if not taken.HasField("shape"):
        return Signature(inputs[0].name, dtype, None)
    shape = _shape(taken.shape, axes)
    last = shape[-1]
    if axes is None and last is not None and last <= _CHANNELS < (shape[1] or _CHANNELS + 1):
        return Signature(inputs[0].name, dtype, (shape[0], last, *shape[1:-1]), True)
    return Signature(inputs[0].name, dtype, shape)


def _shape(shape: onnx.TensorShapeProto, letters: str | None) -> tuple[int | None, ...]:
    axes = tuple(axis.dim_value if axis.dim_value > 0 else None for axis in shape.dim)
    text = "×".join(str(size or "?") for size in axes)
    if letters is not None:
        if len(axes) != len(letters):
            raise RefusedGraphError(
                f"its input has {len(axes)} axes ({text}), not {len(letters)}", CHANNELS_FIRST
            )
        sizes = dict(zip(letters, axes, strict=True))
        return tuple(sizes.get(axis, 1) for axis in ("NCZYX" if "Z" in letters else "NCYX"))
    if len(axes) not in (4, 5):
        raise RefusedGraphError(f"its input has {len(axes)} axes ({text})", CHANNELS_FIRST)
    return axes


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _type_name(number: int) -> str:
    try:
        return str(onnx.TensorProto.DataType.Name(number)).lower()
    except ValueError:
        return f"number {number}"
