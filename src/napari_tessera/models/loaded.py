"""What every loader returns: a network, and what its file says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from numpy.typing import NDArray

from napari_tessera.models.about import About
from napari_tessera.models.calling import Network
from napari_tessera.models.processing import Processing
from napari_tessera.models.sizes import ValidSizes


@runtime_checkable
class Placeable(Protocol):
    """A network that is no ``nn.Module`` but can run on other devices all the same."""

    def placed_on(self, device: torch.device) -> Network:
        """Return the network for a device; this one stays as it is.

        Raises
        ------
        RuntimeError
            If it cannot run there.
        """
        ...


@dataclass(frozen=True)
class OwnTest:
    """Test tensors that a package brings, read when they are wanted.

    Parameters
    ----------
    read : callable
        Returns input and expected output, grey levels as a user has them (before preprocessing,
        after postprocessing), NC(Z)YX.
    pixels : int
        Pixels of the input, channels counted: what running it will cost.
    absolute_tolerance, relative_tolerance : float
        Largest difference that passes: absolute plus relative times the expected value.
    mismatched_per_million : float
        Pixels of a million that may differ by more.
    halo : tuple of int
        Pixels at both ends of each axis in (Z)YX that the expected output may lack.
    content : callable, optional
        Returns a hash of both tensors as they are now; without it, results are not kept. Like
        ``read``, it raises ModelError where they cannot be read.
    """

    read: Callable[[], tuple[NDArray, NDArray]]  # type: ignore[type-arg]
    pixels: int
    absolute_tolerance: float
    relative_tolerance: float
    mismatched_per_million: float = 0.0
    halo: tuple[int, ...] = ()
    content: Callable[[], str] | None = None


@dataclass(frozen=True)
class Loaded:
    """A network as it was loaded, and what is known of it before it is measured.

    Parameters
    ----------
    network : nn.Module or callable
        On the CPU, float32, in evaluation mode; takes and gives NC(Z)YX. What its file does to
        intensities is not in it but in ``processing``.
    name, source, sha256 : str
        As in `Model`.
    format : str
        What it was loaded from, for people: ``"CAREamics checkpoint 0.3"``.
    processing : Processing or None
        What is done to grey levels before and after; None where the file does not say.
    default_normalization : str
        ``"model"`` where ``processing`` is given; else ``"time_point"`` or ``"none"``.
    spatial_dims, in_channels : int or None
        Where the file says so; None to have it found out. Channels may also be None because any
        number is taken: then ``any_channels`` is set.
    sizes : ValidSizes or None
        Sizes that the file promises to work; None where it does not say. ``sizes_are_strict``
        where the network is known to refuse others (a program exported for one size).
    batch : int or None
        Number of samples that the network takes at once, where only one will do.
    dtype : str
        Type of the numbers that the network itself takes; it is given them out of float32.
    parameters : int or None
        Number of weights; None to have those of a module counted.
    about : About
        Licence, authors, citations.
    own_test : OwnTest or None
        Test tensors of a package.
    warnings : tuple of str
        What people should know: one line each.
    """

    network: Network
    name: str
    source: str
    sha256: str
    format: str
    processing: Processing | None = None
    default_normalization: str = "time_point"
    spatial_dims: int | None = None
    in_channels: int | None = None
    any_channels: bool = False
    sizes: ValidSizes | None = None
    sizes_are_strict: bool = False
    batch: int | None = None
    dtype: str = "float32"
    parameters: int | None = None
    about: About = field(default_factory=About)
    own_test: OwnTest | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_python(self) -> bool:
        """Whether it lives in Python, as somebody's code, and not in a file."""
        return self.source.startswith("python:")
