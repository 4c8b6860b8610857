"""A BioImage.IO package: description, weights, test tensors, documentation and a cover in a zip."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from napari_tessera.models.exporting.cover import cover_png
from napari_tessera.models.exporting.description import describe
from napari_tessera.models.exporting.geometry import example_pair, tile_geometry
from napari_tessera.models.exporting.readme import readme
from napari_tessera.models.exporting.tracing import probes, traced
from napari_tessera.models.own_format.reading import read_trained
from napari_tessera.whole_files import check_place, whole_file

_MOMENT = (1980, 1, 1, 0, 0, 0)
"""When all members were written, by the archive: the real moment stands in the description."""


def export_bioimageio(
    model_file: str | Path,
    out: str | Path,
    *,
    overwrite: bool = False,
    authors: Sequence[str] = (),
    licence: str | None = None,
) -> Path:
    """Write a trained model as a BioImage.IO package of format 0.5.

    Weights are TorchScript; grey levels are normalized by the description's pre- and
    postprocessing with the numbers of the training data; the halo is how far the network looks
    (at most 48 px along each axis in 3D).

    Parameters
    ----------
    model_file, out, overwrite, authors, licence
        As `export_model`. Without them the package names neither author nor licence, as the
        format allows.

    Raises
    ------
    ModelError
        If the model is of another kind.
    OSError
        If a file cannot be read or written.
    """
    out, path = Path(out), Path(model_file)
    check_place(out, overwrite=overwrite)
    trained = read_trained(path)
    document = trained.document.signed(authors, licence)
    geometry = tile_geometry(trained, path.name)
    given, expected = example_pair(trained, geometry)
    files = {
        "weights.pt": traced(trained.network, probes(document.settings)),
        "test_input.npy": _npy(given),
        "test_output.npy": _npy(expected),
        "cover.png": cover_png(given, expected),
    }
    files["README.md"] = readme(document, geometry).encode()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    description = describe(document, geometry, hashes, torch.__version__.partition("+")[0])
    text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=100)
    with whole_file(out, overwrite=overwrite) as partial:
        partial.write_bytes(_zipped({"rdf.yaml": text.encode(), **files}))
    return out


def _npy(array: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name, _MOMENT)
            # what is packed already does not get smaller
            packed = name.endswith((".pt", ".png"))
            member.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return buffer.getvalue()
