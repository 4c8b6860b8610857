"""The image that goes into a package's network, and the one that comes out."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.models.bioimageio import axes_04, axes_05
from napari_tessera.models.bioimageio.axes import Layout
from napari_tessera.models.bioimageio.fields import DescriptionError, Field
from napari_tessera.models.bioimageio.operations import DTYPES, Chain, read_chain
from napari_tessera.models.bioimageio.sources import Source, read_source
from napari_tessera.models.processing import EnsureDtype

_ONE_IMAGE = "Choose a model that takes one image and returns one"


@dataclass(frozen=True)
class DescribedTensor:
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


def read_tensors(
    description: Field, *, is_05: bool
) -> tuple[DescribedTensor, int, DescribedTensor]:
    """Read the one image that goes in and the one that comes out.

    Parameters
    ----------
    description : Field
        All of it.
    is_05 : bool
        Whether it is written in format 0.5.

    Returns
    -------
    image, position, prediction : DescribedTensor, int, DescribedTensor
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
    image = _read_tensor(given, description, image_name, None, is_05=is_05)
    name = _name(returned, is_05, "output")
    prediction = _read_tensor(returned, description, name, image, is_05=is_05)
    if prediction.layout.spatial_dims != image.layout.spatial_dims:
        raise DescriptionError(
            f"its network makes {prediction.layout.spatial_dims}D images of "
            f"{image.layout.spatial_dims}D ones, which is not supported",
            _ONE_IMAGE,
        )
    _check_references(image, prediction)
    return image, position, prediction


def _read_tensor(
    field: Field, description: Field, name: str, image: DescribedTensor | None, *, is_05: bool
) -> DescribedTensor:
    """Read the input, or with it given the output."""
    known = image.layout.named(image.name) if image else {}
    if is_05:
        layout = axes_05.read_axes(field.needed("axes"), name, known)
        # per channel, but of one type
        data = field["data"].items()[:1] if isinstance(field["data"].value, list) else []
        dtype = (data[0] if data else field["data"])["type"]
        test = field["test_tensor"]
        source = read_source(test.needed("source"), test["sha256"]) if test else None
    else:
        layout = axes_04.read_axes(field, known)
        dtype = field["data_type"]
        tests = description["test_outputs" if image else "test_inputs"].items()
        source = read_source(tests[0], Field("", None)) if tests else None
    kind = dtype.choice(DTYPES) if dtype else "float32"
    steps = field["postprocessing" if image else "preprocessing"]
    input_name = image.name if image else name
    chain = read_chain(steps, layout, input_name, is_output=image is not None)
    return DescribedTensor(name, layout, kind, chain, source)


def _name(field: Field, is_05: bool, usual: str) -> str:
    if not is_05:
        return field.needed("name").text()
    return field["id"].text() if field["id"] else usual


def _names(field: Field) -> str:
    shown = [item["id"] if item["id"] else item["name"] for item in field.items()]
    return ", ".join(item.text() for item in shown[:6] if item) or "none"


def _check_references(image: DescribedTensor, prediction: DescribedTensor) -> None:
    """Check that sizes follow axes that there are."""
    known = image.layout.named(image.name) | prediction.layout.named(prediction.name)
    for tensor in (image, prediction):
        for axis in tensor.layout.axes:
            reference = axis.size.reference if axis.size else None
            if reference is not None and reference not in known:
                raise DescriptionError(
                    f"its axis {axis.name!r} of {tensor.name!r} follows {'.'.join(reference)}, "
                    "which there is not"
                )


def network_dtype(image: DescribedTensor, *, is_05: bool) -> str:
    """Type of the numbers that the network takes.

    Format 0.5 casts to the last ``ensure_dtype``, without one to the image's own type; 0.4 to
    float32.
    """
    last = image.chain.operations[-1] if image.chain.operations else None
    if isinstance(last, EnsureDtype):
        return last.dtype
    return image.dtype if is_05 else "float32"
