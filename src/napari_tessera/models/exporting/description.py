"""The description of a BioImage.IO package: its rdf.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from napari_tessera.models.about import Citation
from napari_tessera.models.exporting.geometry import TileGeometry
from napari_tessera.models.own_format.document import EPSILON, TrainedDocument
from napari_tessera.models.own_format.history import citations_of, method_name, without_places
from napari_tessera.models.own_format.plain import plain_json

FORMAT_VERSION = "0.5.10"
"""The newest of 0.5 that has files named by plain text: older software reads it as well."""

_LEAST_STD = 1e-6
"""Deviations below it the format's own operation does not take."""


def describe(
    document: TrainedDocument,
    geometry: TileGeometry,
    sha256: Mapping[str, str],
    torch_version: str,
) -> dict[str, Any]:
    """Describe a model as format 0.5 wants it.

    Parameters
    ----------
    document : TrainedDocument
        The model.
    geometry : TileGeometry
        Halo and sizes.
    sha256 : mapping of str to str
        Of the package's files, by name.
    torch_version : str
        Of the PyTorch that wrote the weights.

    Returns
    -------
    dict
        Plain values for YAML.
    """
    settings = document.settings
    method = method_name(document.training)

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": sha256[name]}

    whole: dict[str, Any] = {
        "type": "model",
        "format_version": FORMAT_VERSION,
        "name": model_name(document.name),
        "description": f"{settings.spatial_dims}D denoising ({method}), trained with "
        "napari-tessera on noisy images of one kind; it suits images of that kind.",
    }
    if document.authors:
        whole["authors"] = [{"name": name.replace("/", "-")} for name in document.authors]
    whole["cite"] = [_cited(work) for work in citations_of(document.training, settings.n2v2)]
    if not whole["cite"]:
        del whole["cite"]
    if document.licence:
        whole["license"] = document.licence
    return whole | {
        "documentation": "README.md",
        "covers": ["cover.png"],
        "tags": ["denoising", "image-restoration", "unet", "pytorch", f"{settings.spatial_dims}d"],
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": [
            {
                "id": "noisy",
                "axes": _axes(document, geometry, is_output=False),
                "data": {"type": "float32"},
                "preprocessing": [_forward(document.means, document.stds)],
                "test_tensor": file("test_input.npy"),
            }
        ],
        "outputs": [
            {
                "id": "denoised",
                "axes": _axes(document, geometry, is_output=True),
                "data": {"type": "float32"},
                "postprocessing": [_back(*document.output_pair)],
                "test_tensor": file("test_output.npy"),
            }
        ],
        "weights": {"torchscript": {**file("weights.pt"), "pytorch_version": torch_version}},
        "config": {
            "napari_tessera": {"training": without_places(plain_json(document.training))},
            "bioimageio": {"reproducibility_tolerance": [_tolerance(document)]},
        },
    }


def model_name(name: str) -> str:
    """A name as the format takes it: letters, digits, ``_ + - ( )`` and spaces, 5 to 64 of them."""
    plain = " ".join(re.sub(r"[^a-zA-Z0-9_+\- ()]+", "_", name).split())[:64]
    return plain if len(plain) >= 5 else f"denoise {plain}".strip()


def _axes(
    document: TrainedDocument, geometry: TileGeometry, *, is_output: bool
) -> list[dict[str, Any]]:
    settings = document.settings
    channels = settings.out_channels if is_output else settings.in_channels
    axes: list[dict[str, Any]] = [
        {"type": "batch"},
        {"type": "channel", "channel_names": [f"channel{i}" for i in range(channels)]},
    ]
    for letter, halo, least in zip(
        document.axes.lower(), geometry.halo, geometry.minimum, strict=True
    ):
        axis: dict[str, Any] = {"type": "space", "id": letter}
        if not is_output:
            axis["size"] = {"min": least, "step": geometry.step}
        else:
            axis["size"] = {"tensor_id": "noisy", "axis_id": letter}
            axis |= {"halo": halo} if halo else {}
        axes.append(axis)
    return axes


def _forward(means: Sequence[float], stds: Sequence[float]) -> dict[str, Any]:
    """``(x − mean) / (std + 1e-6)``, as the format's own operation where it takes the numbers."""
    if min(stds) < _LEAST_STD:
        gain = [1 / (std + EPSILON) for std in stds]
        offset = [-mean * factor for mean, factor in zip(means, gain, strict=True)]
        return _operation("scale_linear", gain=gain, offset=offset)
    return _operation("fixed_zero_mean_unit_variance", mean=means, std=stds)


def _back(means: Sequence[float], stds: Sequence[float]) -> dict[str, Any]:
    """``y · (std + 1e-6) + mean``."""
    return _operation("scale_linear", gain=[std + EPSILON for std in stds], offset=means)


def _operation(name: str, **numbers: Sequence[float]) -> dict[str, Any]:
    """An operation with one number each for the whole tensor, or several along its channels."""
    listed = {key: [float(value) for value in values] for key, values in numbers.items()}
    if all(len(values) == 1 for values in listed.values()):
        return {"id": name, "kwargs": {key: values[0] for key, values in listed.items()}}
    return {"id": name, "kwargs": {"axis": "channel", **listed}}


def _tolerance(document: TrainedDocument) -> dict[str, float]:
    """A thousandth of the deviation in grey levels: other processors round differently."""
    _, stds = document.output_pair
    absolute = min(max(1e-3 * min(stds), 1e-12), 0.5)
    return {"relative_tolerance": 1e-5, "absolute_tolerance": absolute}


def _cited(work: Citation) -> dict[str, str]:
    """A work by its DOI where it has one."""
    link = work.link or ""
    doi = link.partition("doi.org/")[2]
    return {"text": work.text, **({"doi": doi} if doi else {"url": link})}
