"""What a package's description says, read and checked once."""

from __future__ import annotations

import re
from dataclasses import dataclass

from napari_tessera.models.about import About, Citation
from napari_tessera.models.bioimageio.fields import DescriptionError, Field
from napari_tessera.models.bioimageio.tensors import DescribedTensor, network_dtype, read_tensors
from napari_tessera.models.bioimageio.tolerance import Tolerance, read_tolerance
from napari_tessera.models.bioimageio.weights_entries import WeightsEntry, read_weights
from napari_tessera.models.bioimageio.yaml_reader import YamlError, read_yaml
from napari_tessera.models.errors import plain_line

_CONVERT = "Convert it with bioimageio.core (bioimageio update-format), or ask its author"


@dataclass(frozen=True)
class PackageDescription:
    """A package's description.

    Parameters
    ----------
    version : {"0.4", "0.5"}
        Of the format.
    about : About
        Title, authors, licence.
    image, prediction : DescribedTensor
        What goes in and what comes out.
    position : int
        Of the image among the network's arguments.
    network_dtype : str
        Type of the numbers that the network takes.
    weights : tuple of WeightsEntry
        The first choice first.
    config : Field
        Where tolerances stand.
    """

    version: str
    about: About
    image: DescribedTensor
    prediction: DescribedTensor
    position: int
    network_dtype: str
    weights: tuple[WeightsEntry, ...]
    config: Field

    def tolerance(self, kind: str) -> Tolerance:
        """How far the output may be off with some kind of weights."""
        return read_tolerance(self.config, kind, self.prediction.name, is_05=self.version == "0.5")


def read_description(content: bytes) -> PackageDescription:
    """Read a description.

    Parameters
    ----------
    content : bytes
        Of the YAML file.

    Raises
    ------
    DescriptionError
        If it is none, or cannot be followed.
    """
    try:
        whole = Field("", read_yaml(content))
    except YamlError as error:
        raise DescriptionError(f"its description is not read: {error}") from error
    if not isinstance(whole.value, dict) or not whole["format_version"]:
        raise DescriptionError(
            "it is no BioImage.IO description: it has no format_version",
            "Choose the package's .zip or its rdf.yaml",
        )
    if not whole["type"] or whole["type"].value != "model":
        whole["type"].refuse("and only models can be loaded", "Choose a package of type model")
    version = _version(whole["format_version"])
    is_05 = version == "0.5"
    image, position, prediction = read_tensors(whole, is_05=is_05)
    return PackageDescription(
        version,
        _read_about(whole),
        image,
        prediction,
        position,
        network_dtype(image, is_05=is_05),
        read_weights(whole.needed("weights")),
        whole["config"]["bioimageio"],
    )


def _version(field: Field) -> str:
    match = re.fullmatch(r"(\d+)\.(\d+)(\..*)?", field.text())
    if match is None:
        field.refuse("no version")
    numbers = int(match[1]), int(match[2])
    if numbers < (0, 4):
        field.refuse("and the oldest format that is read is 0.4", _CONVERT)
    if numbers > (0, 5):
        field.refuse("and the newest format that is known is 0.5", "Update napari-tessera")
    return f"{numbers[0]}.{numbers[1]}"


def _read_about(whole: Field) -> About:
    documentation = whole["documentation"]
    if isinstance(documentation.value, dict):
        documentation = documentation["source"]
    return About(
        title=_text(whole["name"]),
        description=_text(whole["description"]),
        version=_text(whole["version"]),
        licence=_text(whole["license"]),
        documentation=_text(documentation),
        authors=tuple(filter(None, map(_author, whole["authors"].items()))),
        citations=tuple(filter(None, map(_citation, whole["cite"].items()))),
    )


def _text(field: Field) -> str | None:
    """Text that people read: what is none is left out, so that no model fails for it."""
    if not isinstance(field.value, str | int | float) or isinstance(field.value, bool):
        return None
    return plain_line(str(field.value), 2000) or None


def _author(field: Field) -> str | None:
    name = field["name"] if isinstance(field.value, dict) else field
    return _text(name)


def _citation(field: Field) -> Citation | None:
    if not isinstance(field.value, dict):
        text = _text(field)
        return Citation(text) if text else None
    doi, url = _text(field["doi"]), _text(field["url"])
    if doi:
        doi = re.sub(r"^(https?://)?(dx\.)?doi\.org/|^doi:", "", doi, flags=re.IGNORECASE)
    link = f"https://doi.org/{doi}" if doi else url
    text = _text(field["text"]) or link
    return Citation(text, link) if text else None
