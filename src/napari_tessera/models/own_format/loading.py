"""A model file of this package as a model like any other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from napari_tessera.models.about import About
from napari_tessera.models.architectures import multiples
from napari_tessera.models.loaded import Loaded, OwnTest
from napari_tessera.models.own_format.document import TrainedDocument
from napari_tessera.models.own_format.history import citations_of, method_name, training_line
from napari_tessera.models.own_format.reading import Trained, trained_from

TOLERANCE = 1e-4
"""Largest difference that a model's own test allows, as a share of the expected output's range:
other processors and versions of PyTorch round differently, by 1e-6 to 1e-5 of it."""


def load_trained(path: Path, sha256: str, text: str, state: Mapping[str, Tensor]) -> Loaded:
    """Load a model file of this package.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        Of its bytes.
    text : str
        Its document, as `document_text` found it.
    state : mapping of str to Tensor
        All of its tensors.

    Raises
    ------
    ModelError
        In one line: what cannot be loaded, why, and the way out.
    """
    trained = trained_from(path.name, sha256, text, state)
    document, settings = trained.document, trained.document.settings
    warnings = (f"its own test cannot be run: {trained.problem}",) if trained.problem else ()
    return Loaded(
        trained.network,
        path.name,
        str(path.absolute()),
        sha256,
        f"napari-tessera model ({method_name(document.training)})",
        processing=document.processing,
        default_normalization="model",
        spatial_dims=settings.spatial_dims,
        in_channels=settings.in_channels,
        sizes=multiples(settings),
        sizes_are_strict=True,
        about=about_of(document),
        own_test=_own_test(trained),
        warnings=warnings,
    )


def about_of(document: TrainedDocument) -> About:
    """Who made a model, how it was trained, and whom to cite."""
    return About(
        title=document.name or None,
        licence=document.licence,
        authors=document.authors,
        citations=citations_of(document.training, document.settings.n2v2),
        training=training_line(document.training),
    )


def _own_test(trained: Trained) -> OwnTest | None:
    if trained.test is None:
        return None
    given, expected = trained.test
    finite = expected[np.isfinite(expected)]
    spread = float(np.ptp(finite)) if finite.size else 0.0
    return OwnTest(
        lambda: (given, expected),
        given.size,
        absolute_tolerance=TOLERANCE * spread,
        relative_tolerance=1e-6,
        content=lambda: trained.sha256,
    )
