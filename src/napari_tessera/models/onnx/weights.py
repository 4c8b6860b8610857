"""Weights of an ONNX model, those in other files included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import onnx

from napari_tessera.models.onnx.operations import RefusedGraphError, graphs_of, nodes_of

MOST_BYTES = 2**31 - 2**20
"""Bytes of a model with all its weights: a protocol buffer ends at 2 GiB."""

_IN_ONE = "Save it as one file: onnx.save(onnx.load('model.onnx'), 'whole.onnx')"


def take_in(model: onnx.ModelProto, folder: Path, size: int) -> list[Path]:
    """Put weights that lie in other files into the model.

    Parameters
    ----------
    model : onnx.ModelProto
        Is changed: afterwards it refers to no file.
    folder : Path
        Where the model lies; files outside it are not opened.
    size : int
        Bytes of the model's own file.

    Returns
    -------
    list of Path
        The files that were read, in the order of their first mention.

    Raises
    ------
    RefusedGraphError
        If a file lies outside the folder or is too short, or if all is more than `MOST_BYTES`.
    """
    files: dict[Path, None] = {}
    for tensor in _tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL and not tensor.external_data:
            continue
        path, offset, length = _place(tensor, folder)
        size += length
        if size > MOST_BYTES:
            raise RefusedGraphError(
                f"with its weights it has more than {MOST_BYTES / 2**30:.1f} GiB",
                "Export it in half precision",
            )
        content = b""
        if offset < path.stat().st_size:
            with path.open("rb") as file:
                file.seek(offset)
                content = file.read(length)
        if len(content) < length:
            raise RefusedGraphError(
                f"{path.name} ends before the weights {tensor.name[:80]!r}", "Download it again"
            )
        files[path] = None
        tensor.raw_data = content
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
    return list(files)


def _place(tensor: onnx.TensorProto, folder: Path) -> tuple[Path, int, int]:
    """File, first byte and number of bytes of a tensor's numbers."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    parts = PurePosixPath(location).parts
    inside = folder.resolve()
    path = inside.joinpath(*parts) if location else inside
    try:
        real = path.resolve()
    except (OSError, RuntimeError, ValueError):
        # a link that leads to itself, or a zero byte in the name
        real = inside
    outside = not parts or ".." in parts or "\\" in location or ":" in location or "\0" in location
    # resolved: a link may lead out of the folder
    if outside or PurePosixPath(location).is_absolute() or inside not in real.parents:
        raise RefusedGraphError(f"its weights lie outside its folder ({location[:80]!r})", _IN_ONE)
    if not path.is_file():
        raise RefusedGraphError(
            f"its weights {location[:80]!r} are missing", "Put that file beside it"
        )
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
    except ValueError:
        raise RefusedGraphError("its list of weights is damaged", "Download it again") from None
    if length < 0:
        length = path.stat().st_size - offset
    if offset < 0 or length < 0:
        raise RefusedGraphError("its list of weights is damaged", "Download it again")
    return path, offset, length


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All tensors of a model, wherever the format lets one stand."""
    for graph in graphs_of(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in nodes_of(model):
        yield from _of_attributes(node.attribute)
    for function in model.functions:
        yield from _of_attributes(function.attribute_proto)


def _of_attributes(attributes: object) -> Iterator[onnx.TensorProto]:
    for attribute in attributes:  # type: ignore[attr-defined]
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        if attribute.HasField("sparse_tensor"):
            yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
        for sparse in attribute.sparse_tensors:
            yield from (sparse.values, sparse.indices)
