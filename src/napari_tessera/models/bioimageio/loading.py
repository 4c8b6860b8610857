"""Loading a package: its description, its weights, and what both say of the network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.models.archive import ArchiveError
from napari_tessera.models.bioimageio.arrangement import Arrangement, arranged
from napari_tessera.models.bioimageio.axes import Layout
from napari_tessera.models.bioimageio.description import PackageDescription, read_description
from napari_tessera.models.bioimageio.fields import DescriptionError
from napari_tessera.models.bioimageio.package_files import PackageFiles, opened_package
from napari_tessera.models.bioimageio.packaged_tensors import MOST_BYTES as MOST_TENSOR
from napari_tessera.models.bioimageio.packaged_tensors import read_shape, read_tensor
from napari_tessera.models.bioimageio.process import read_processing
from napari_tessera.models.bioimageio.sources import Source
from napari_tessera.models.bioimageio.weights import NAMES, LoadedWeights, load_weights
from napari_tessera.models.bioimageio.yaml_reader import MOST_BYTES
from napari_tessera.models.errors import ModelError, message_line, plain_line
from napari_tessera.models.loaded import Loaded, OwnTest
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.models.ways_out import PACKAGE_AGAIN

_MOST_HASHED = 2**26
"""Bytes of a test tensor up to which its hash is checked while loading."""


def load_package(path: Path) -> Loaded:
    """Load a BioImage.IO package.

    Parameters
    ----------
    path : Path
        A .zip, a folder with an rdf.yaml or bioimageio.yaml, or that file; format 0.4 or 0.5.

    Returns
    -------
    Loaded
        With the package's processing and its own test. Sizes are those that it declares.

    Raises
    ------
    ModelError
        In one line. Nothing in a package is run or fetched.
    """
    # the package is opened again for its own test: the working directory may be another one then
    path = path.absolute()
    name = path.name or str(path)
    try:
        with opened_package(path) as files:
            content = files.read(files.description, MOST_BYTES)
            description = read_description(content)
            letters = description.image.layout.letters
            weights = load_weights(files, description.weights, letters)
            return _assembled(path, files, content, description, weights)
    except DescriptionError as error:
        raise ModelError.not_loadable(name, plain_line(error.why), error.way_out) from error
    except ArchiveError as error:
        raise ModelError.not_loadable(name, plain_line(str(error)), PACKAGE_AGAIN) from error


def _assembled(
    path: Path,
    files: PackageFiles,
    content: bytes,
    description: PackageDescription,
    weights: LoadedWeights,
) -> Loaded:
    image, prediction = description.image, description.prediction
    arrangement = Arrangement(
        image.layout.letters,
        prediction.layout.letters,
        description.network_dtype,
        description.position,
    )
    digest = hashlib.sha256(content)
    digest.update(weights.sha256.encode())
    warnings = []
    if weights.mismatch:
        warnings.append(_changed(weights.mismatch))
    if weights.absent:
        missing = " and ".join(weights.absent)
        warnings.append(f"the package lacks {missing}: {NAMES[weights.kind]} is used instead")
    own_test = None
    tests = [source for source in (image.test, prediction.test) if source and files.has(source)]
    if len(tests) == 2:
        try:
            own_test = _own_test(path, files, description, tests, weights.kind)
            warnings += [_changed(source.name) for source in tests if _differs(files, source)]
        except DescriptionError as error:
            warnings.append(f"the package's own test cannot be run: {error}")
    return Loaded(
        arranged(weights.network, arrangement),
        path.parent.name if path.suffix.lower() in (".yaml", ".yml") else path.name,
        str(path),
        digest.hexdigest(),
        f"BioImage.IO {description.version} ({NAMES[weights.kind]})",
        processing=read_processing(description),
        default_normalization="model",
        spatial_dims=image.layout.spatial_dims,
        in_channels=image.layout.channels,
        any_channels=image.layout.channels is None,
        sizes=weights.sizes or _declared_sizes(image.layout),
        sizes_are_strict=weights.sizes_are_strict,
        batch=weights.batch or _declared_batch(image.layout),
        dtype=weights.dtype if arrangement.is_float else description.network_dtype,
        about=description.about,
        own_test=own_test,
        warnings=tuple(map(plain_line, warnings)),
    )


def _declared_sizes(layout: Layout) -> ValidSizes | None:
    sizes = [axis.size for axis in layout.spatial]
    if any(size is None or size.reference is not None for size in sizes):
        return None
    known = [size for size in sizes if size is not None]
    return ValidSizes(
        tuple(size.minimum for size in known),
        tuple(size.step for size in known),
        tuple(None if size.step else size.minimum for size in known),
    )


def _declared_batch(layout: Layout) -> int | None:
    axis = layout.axis("N")
    return axis.size.minimum if axis is not None and axis.size is not None else None


def _differs(files: PackageFiles, source: Source) -> bool:
    if source.sha256 is None or files.head(source.name, 0)[1] > _MOST_HASHED:
        return False
    return hashlib.sha256(files.read(source.name, _MOST_HASHED)).hexdigest() != source.sha256


def _changed(name: str) -> str:
    return f"{name} is not the file that the package was made with: its sha256 differs"


def _own_test(
    path: Path,
    files: PackageFiles,
    description: PackageDescription,
    tests: Sequence[Source],
    kind: str,
) -> OwnTest:
    image, prediction = description.image, description.prediction
    given, expected = (source.name for source in tests)

    def read() -> tuple[NDArray[Any], NDArray[Any]]:
        with _reopened(path) as again:
            return (
                read_tensor(again, given, image.layout),
                read_tensor(again, expected, prediction.layout),
            )

    def content() -> str:
        with _reopened(path) as again:
            hashes = (hashlib.sha256(again.read(name, MOST_TENSOR)) for name in (given, expected))
            return " ".join(digest.hexdigest() for digest in hashes)

    tolerance = description.tolerance(kind)
    return OwnTest(
        read,
        int(np.prod(read_shape(files, given), dtype=np.int64)),
        tolerance.absolute,
        tolerance.relative,
        tolerance.mismatched_per_million,
        tuple(axis.halo for axis in prediction.layout.spatial),
        content,
    )


@contextmanager
def _reopened(path: Path) -> Iterator[PackageFiles]:
    """The package, once more; what became of it meanwhile is told in one line."""
    try:
        with opened_package(path) as files:
            yield files
    except (DescriptionError, ArchiveError) as error:
        way_out = error.way_out if isinstance(error, DescriptionError) else PACKAGE_AGAIN
        raise ModelError.not_usable(path.name, plain_line(str(error)), way_out) from error
    except OSError as error:
        raise ModelError.not_usable(
            path.name,
            f"its own test cannot be read ({error.strerror or message_line(error)})",
            "Put the package back where it was, or load it from where it is now",
        ) from error
