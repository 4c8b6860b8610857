"""Axes as format 0.5 writes them: a list of mappings, each with its type."""

from __future__ import annotations

from collections.abc import Mapping

from napari_tessera.models.bioimageio.axes import Axis, AxisSize, Layout, followed, layout_of
from napari_tessera.models.bioimageio.fields import Field

_NAMES = {
    "batch": "batch",
    "channel": "channel",
    "space": "x",
    "time": "time",
    "index": "index",
}
"""Types, each with the name of an axis that is given none."""


def read_axes(field: Field, tensor: str, image: Mapping[tuple[str, str], Axis]) -> Layout:
    """Read the axes of one tensor.

    Parameters
    ----------
    field : Field
        The list.
    tensor : str
        The tensor's own name: sizes may refer to an axis of the same tensor.
    image : mapping
        Axes of the input, for those of the output, by tensor and name.
    """
    axes = [_read_axis(item) for item in field.items()]
    own = {(tensor, axis.name): axis for axis in axes}
    for item, axis in zip(field.items(), axes, strict=True):
        reference = axis.size.reference if axis.size else None
        if reference and reference[0] == tensor and own.get(reference) in (None, axis):
            item["size"]["axis_id"].refuse("no other axis of this tensor")
    return layout_of(followed(axes, {**image, **own}), field.path)


def _read_axis(field: Field) -> Axis:
    kind = field.needed("type").choice(_NAMES)
    name = field["id"].text() if field["id"] else _NAMES[kind]
    halo = field["halo"].whole(0) if field["halo"] else 0
    scale = field["scale"].number() if field["scale"] else 1.0
    if scale <= 0:
        field["scale"].refuse("not more than 0")
    return Axis(name, kind, _read_size(field, kind), scale, halo)


def _read_size(field: Field, kind: str) -> AxisSize | None:
    size = field["size"]
    if kind == "channel" and (names := field["channel_names"].items()):
        return AxisSize(len(names), 0)
    if kind == "batch":
        return AxisSize(size.whole(1), 0) if size else None
    if isinstance(size.value, dict):
        if size["tensor_id"]:
            offset = size["offset"].whole(-(2**31)) if size["offset"] else 0
            reference = size["tensor_id"].text(), size.needed("axis_id").text()
            return AxisSize(offset, 1, reference)
        if size["step"]:
            return AxisSize(size.needed("min").whole(1), size["step"].whole(1))
        # a size that depends on the data
        return AxisSize(size["min"].whole(1) if size["min"] else 1, 1)
    return AxisSize(field.needed("size").whole(1), 0)
