"""Loading the weights of a package: the first kind that is there and can be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_tessera.models.bioimageio.fields import DescriptionError
from napari_tessera.models.bioimageio.package_files import PackageFiles
from napari_tessera.models.bioimageio.weights_entries import KINDS, WeightsEntry
from napari_tessera.models.calling import Network
from napari_tessera.models.errors import ModelError
from napari_tessera.models.hashing import hash_file
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.models.ways_out import OTHER_WEIGHTS

_DOWNLOAD = "Download the whole package, weights included"

NAMES = {
    "pytorch_state_dict": "PyTorch weights",
    "torchscript": "TorchScript",
    "onnx": "ONNX",
    "keras_hdf5": "Keras",
    "keras_v3": "Keras",
    "tensorflow_js": "TensorFlow.js",
    "tensorflow_saved_model_bundle": "TensorFlow",
}
"""What people call the kinds of weights."""


@dataclass(frozen=True)
class LoadedWeights:
    """A network with its weights.

    Parameters
    ----------
    kind : str
        As the format calls it.
    network : nn.Module or callable
        Takes the package's own axes.
    sha256 : str
        Of the weights file.
    mismatch : str or None
        The file's name, where its hash is not the one in the description.
    sizes : ValidSizes or None
        What the file itself is made for, where it says so.
    sizes_are_strict : bool
        Whether it refuses others.
    batch : int or None
        Samples at once, where only one number will do.
    dtype : str
        Type of the numbers that the file takes.
    absent : tuple of str
        Files of weights that come first in the description, and are not in the package.
    """

    kind: str
    network: Network
    sha256: str
    mismatch: str | None = None
    sizes: ValidSizes | None = None
    sizes_are_strict: bool = False
    batch: int | None = None
    dtype: str = "float32"
    absent: tuple[str, ...] = ()


def load_weights(
    files: PackageFiles, entries: Sequence[WeightsEntry], letters: str
) -> LoadedWeights:
    """Load the first weights that can be.

    Parameters
    ----------
    files : PackageFiles
        The package. Weights on a server are left alone.
    entries : sequence of WeightsEntry
        The first choice first.
    letters : str
        Axes that the network takes, as in `Layout`.

    Raises
    ------
    DescriptionError
        If none can be, with the reason for each.
    """
    refusals: list[tuple[str, str, str]] = []
    absent: list[str] = []
    for entry in entries:
        name = NAMES.get(entry.kind, entry.kind)
        if entry.kind not in KINDS:
            refusals.append((name, "this kind is not supported", OTHER_WEIGHTS))
        elif entry.problem is not None:
            refusals.append((name, entry.problem.why, entry.problem.way_out))
        elif entry.source.is_remote:
            refusals.append((name, "these lie on a server, and nothing is fetched", _DOWNLOAD))
        elif not files.has(entry.source):
            refusals.append((name, f"{entry.source.name[:80]!r} is not there", _DOWNLOAD))
            absent.append(f"{entry.source.name[:80]} ({name})")
        else:
            try:
                return replace(_load_entry(files, entry, letters), absent=tuple(absent))
            except (ModelError, DescriptionError) as error:
                refusals.append((name, error.why, error.way_out))
    way_out = refusals[0][2] if len(refusals) == 1 else OTHER_WEIGHTS
    if all(refusal[2] == _DOWNLOAD for refusal in refusals):
        way_out = _DOWNLOAD
    reasons = "; ".join(f"{name}: {why}" for name, why, _ in refusals)
    raise DescriptionError(f"none of its weights can be loaded ({reasons})", way_out)


def _load_entry(files: PackageFiles, entry: WeightsEntry, letters: str) -> LoadedWeights:
    path = files.on_disk(entry.source.name, with_others=entry.kind == "onnx")
    sha256 = hash_file(path)
    mismatch = entry.source.name if entry.source.sha256 not in (None, sha256) else None
    if entry.kind == "torchscript":
        return LoadedWeights(entry.kind, _load_torchscript(path), sha256, mismatch)
    if entry.kind == "onnx":
        return _load_onnx(path, letters, mismatch)
    return _load_state_dict(path, entry, sha256, mismatch)


def _load_torchscript(path: Path) -> Network:
    from napari_tessera.models.torchscript import load_torchscript

    return load_torchscript(path)


def _load_onnx(path: Path, letters: str, mismatch: str | None) -> LoadedWeights:
    from napari_tessera.models.onnx import load_onnx

    loaded = load_onnx(path, axes=letters)
    return LoadedWeights(
        "onnx",
        loaded.network,
        loaded.sha256,
        mismatch,
        loaded.sizes,
        loaded.sizes_are_strict,
        loaded.batch,
        loaded.dtype,
    )


def _load_state_dict(
    path: Path, entry: WeightsEntry, sha256: str, mismatch: str | None
) -> LoadedWeights:
    from napari_tessera.models.architectures import multiples
    from napari_tessera.models.bioimageio.state_dicts import load_state_dict

    network = load_state_dict(path, entry)
    sizes = multiples(network.settings)
    return LoadedWeights(entry.kind, network, sha256, mismatch, sizes, sizes_are_strict=True)
