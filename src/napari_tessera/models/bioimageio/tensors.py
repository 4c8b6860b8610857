"""The image that goes into a package's network, and the one that comes out."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.models.bioimageio import axes_04, axes_05
from napari_tessera.models.bioimageio.axes import AxisSize, Layout
from napari_tessera.models.bioimageio.fields import DescriptionError, Field
from napari_tessera.models.bioimageio.operations import DTYPES, Chain, read_chain
from napari_tessera.models.bioimageio.sources import Source, read_source
from napari_tessera.models.processing import EnsureDtype

_ONE_IMAGE = "Choose a model that takes one image and returns one"


@dataclass(frozen=True)
class Tensor:
    """One tensor of a package.

    Parameters
    ----------
    name : str
        As others refer to it.
    layout : Layout
        Its axes.
    dtype : str
        Of its values, before preprocessing and after postprocessing.
    chain : Chain
        What is done to its values.
    test : Source or None
        File with an example.
    """

    name: str
    layout: Layout
    dtype: str
    chain: Chain
    test: Source | None

    def sizes(self) -> tuple[AxisSize | None, ...]:
        """Sizes of the spatial axes, (Z)YX."""
        return tuple(axis.size for axis in self.layout.spatial)


def read_tensors(description: Field, *, is_05: bool) -> tuple[Tensor, int, Tensor]:
    """Read the one image that goes in and the one that comes out.

    Parameters
    ----------
    description : Field
        All of it.
    is_05 : bool
        Whether it is written in format 0.5.

    Returns
    -------
    image, position, prediction : Tensor, int, Tensor
        Position of the image among the network's arguments; optional ones stand for nothing.

    Raises
    ------
    DescriptionError
        If there are more images, or a tensor cannot be followed.
    """
    inputs, outputs = description.needed("inputs"), description.needed("outputs")
    needed = [(i, item) for i, item in enumerate(inputs.items()) if not item["optional"].truth()]
    for field, found, what in (
        (inputs, len(needed), "takes"),
        (outputs, len(outputs.items()), "returns"),
    ):
        if found != 1:
            raise DescriptionError(
                f"its network {what} {found} tensors ({_names(field)}), not one image", _ONE_IMAGE
            )
    (position, given), returned = needed[0], outputs.items()[0]
    image_name = _name(given, is_05, "input")
    image = _read_tensor(given, description, image_name, image_name, is_output=False, is_05=is_05)
    name = _name(returned, is_05, "output")
    prediction = _read_tensor(returned, description, name, image_name, is_output=True, is_05=is_05)
    if prediction.layout.spatial_dims != image.layout.spatial_dims:
        raise DescriptionError(
            f"its network makes {prediction.layout.spatial_dims}D images of "
            f"{image.layout.spatial_dims}D ones, which is not supported",
            _ONE_IMAGE,
        )
    _check_references(image, prediction, outputs)
    return image, position, prediction


def _read_tensor(
    field: Field, description: Field, name: str, image: str, *, is_output: bool, is_05: bool
) -> Tensor:
    if is_05:
        layout = axes_05.read_axes(field.needed("axes"), name)
        data = field["data"].items()[0] if isinstance(field["data"].value, list) else field["data"]
        dtype = data["type"]
        test = field["test_tensor"]
        source = read_source(test.needed("source"), test["sha256"]) if test else None
    else:
        layout = axes_04.read_axes(field)
        dtype = field["data_type"]
        tests = description["test_outputs" if is_output else "test_inputs"].items()
        source = read_source(tests[0], Field("", None)) if tests else None
    kind = dtype.choice(DTYPES) if dtype else "float32"
    steps = field["postprocessing" if is_output else "preprocessing"]
    chain = read_chain(steps, layout, image, is_output=is_output)
    return Tensor(name, layout, kind, chain, source)


def _name(field: Field, is_05: bool, usual: str) -> str:
    if not is_05:
        return field.needed("name").text()
    return field["id"].text() if field["id"] else usual


def _names(field: Field) -> str:
    shown = [item["id"] if item["id"] else item["name"] for item in field.items()]
    return ", ".join(item.text() for item in shown[:6] if item) or "none"


def _check_references(image: Tensor, prediction: Tensor, field: Field) -> None:
    """Check that sizes follow axes that there are."""
    known = {(image.name, axis.name) for axis in image.layout.axes}
    known |= {(prediction.name, axis.name) for axis in prediction.layout.axes}
    for tensor in (image, prediction):
        for axis in tensor.layout.axes:
            reference = axis.size.reference if axis.size else None
            if reference is not None and reference not in known:
                raise DescriptionError(
                    f"its axis {axis.name!r} of {tensor.name!r} follows {'.'.join(reference)}, "
                    "which there is not"
                )


def network_dtype(image: Tensor, *, is_05: bool) -> str:
    """Type of the numbers that the network takes.

    Format 0.5 casts to the last ``ensure_dtype``, without one to the image's own type; 0.4 to
    float32.
    """
    last = image.chain.operations[-1] if image.chain.operations else None
    if isinstance(last, EnsureDtype):
        return last.dtype
    return image.dtype if is_05 else "float32"


def output_scales(image: Tensor, prediction: Tensor) -> tuple[float, ...]:
    """Output pixels per input pixel along each spatial axis, (Z)YX, as the file declares them."""
    return tuple(
        taken.scale / made.scale
        for taken, made in zip(image.layout.spatial, prediction.layout.spatial, strict=True)
    )
