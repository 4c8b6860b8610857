"""Loading ONNX models. See the package's description."""

from __future__ import annotations

import hashlib
import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tessera.models.about import About
from napari_tessera.models.errors import ModelError, message_line
from napari_tessera.models.hashing import hash_file
from napari_tessera.models.loaded import Loaded
from napari_tessera.models.ways_out import SAVE_AGAIN

if TYPE_CHECKING:
    import onnx

_NO_TITLES = ("main_graph", "main", "graph", "torch_jit", "torch-jit-export", "tf2onnx")
"""What exporters call any graph that nobody gave a name."""


def load_onnx(path: Path, axes: str | None = None) -> Loaded:
    """Load an ONNX model.

    Parameters
    ----------
    path : Path
        The file. Weights that lie in other files are read from its folder.
    axes : str, optional
        Letters of the network's input axes where they may be others than NC(Z)YX, as for
        `read_signature`. The network then takes these, while sizes and batch are still of NC(Z)YX.

    Returns
    -------
    Loaded
        Sizes and batch are those that the file fixes.

    Raises
    ------
    ModelError
        If the file is damaged, needs what is not run, or is not one image in and one out; or if
        ONNX Runtime is not installed.
    """
    if not all(find_spec(package) for package in ("onnx", "onnxruntime")):
        raise ModelError.not_loadable(
            path.name, "ONNX Runtime is not installed", "Run: pip install napari-tessera[onnx]"
        )
    # not before: they need an extra
    from napari_tessera.models.onnx.operations import (
        RefusedGraphError,
        check_extent,
        check_operations,
    )
    from napari_tessera.models.onnx.session import OnnxNetwork
    from napari_tessera.models.onnx.signature import read_signature
    from napari_tessera.models.onnx.weights import MOST_BYTES, take_in

    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise RefusedGraphError(f"it has {size / 2**30:.1f} GiB, more than 2", SAVE_AGAIN)
        model = _parsed(path)
        check_operations(model)
        check_extent(model)
        files = take_in(model, path.parent, size)
        signature = read_signature(model, axes)
        about = _about(model)
        content = _plain(model)
    except RefusedGraphError as error:
        raise ModelError.not_loadable(path.name, str(error), error.way_out) from error
    try:
        network = OnnxNetwork(content, signature.name, signature.dtype, signature.channels_last)
    except RuntimeError as error:
        raise ModelError.not_loadable(
            path.name, f"ONNX Runtime refuses it ({message_line(error)})", _way_out(str(error))
        ) from error
    return Loaded(
        network,
        path.name,
        str(path.absolute()),
        _hash(path, files),
        "ONNX",
        spatial_dims=signature.spatial_dims,
        in_channels=signature.in_channels,
        sizes=signature.sizes,
        sizes_are_strict=signature.sizes is not None,
        batch=signature.batch,
        dtype=str(signature.dtype),
        parameters=_parameters(model) or None,
        about=about,
    )


def _parsed(path: Path) -> onnx.ModelProto:
    import onnx

    from napari_tessera.models.onnx.operations import RefusedGraphError

    model = onnx.ModelProto()
    content = path.read_bytes()
    try:
        model.ParseFromString(content)
    except Exception as error:
        # the class of its errors belongs to a package that onnx does not promise to keep
        raise RefusedGraphError("it is a damaged ONNX file", SAVE_AGAIN) from error
    if not model.graph.node:
        raise RefusedGraphError("it is no ONNX file, or one without a graph", SAVE_AGAIN)
    return model


def _plain(model: onnx.ModelProto) -> bytes:
    """Write what was checked, and nothing that was not.

    Notes for ONNX Runtime itself (it can take its settings from them), training graphs and fields
    that this version of the format does not know are left behind.
    """
    model.DiscardUnknownFields()
    model.ClearField("metadata_props")
    model.ClearField("training_info")
    content: bytes = model.SerializeToString()
    return content


def _about(model: onnx.ModelProto) -> About:
    name = _text(model.graph.name)
    return About(
        title=None if name in _NO_TITLES else name[:200] or None,
        description=_text(model.doc_string)[:2000] or None,
        version=str(model.model_version) if model.model_version else None,
    )


def _text(found: str | bytes) -> str:
    """A text of the file; protobuf gives one that is no UTF-8 as bytes."""
    return found.decode(errors="replace") if isinstance(found, bytes) else found


def _parameters(model: onnx.ModelProto) -> int:
    """Count the weights: not the whole numbers, which are sizes, nor the factors of resizing."""
    import onnx

    whole = (onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL)
    resizing = (node for node in model.graph.node if node.op_type in ("Resize", "Upsample"))
    factors = {name for node in resizing for name in node.input}
    return sum(
        math.prod(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.data_type not in whole and tensor.name not in factors
    )


def _hash(path: Path, files: list[Path]) -> str:
    if not files:
        return hash_file(path)
    digest = hashlib.sha256()
    for file in (path, *files):
        digest.update(hash_file(file).encode())
    return digest.hexdigest()


def _way_out(why: str) -> str:
    if "opset" in why.lower() or "ir version" in why.lower():
        return "Update onnxruntime, or export it with an older opset"
    return "Export it again (torch.onnx.export)"
