"""The specifications of a strategy as a sequence, none of them stored."""

from __future__ import annotations

from typing import Protocol, TypeVar

from napari_tessera.patching.lazy_sequence import LazySequence

_Specs = TypeVar("_Specs")
_GivenSpecs = TypeVar("_GivenSpecs", covariant=True)


class _Gives(Protocol[_GivenSpecs]):
    @property
    def n_patches(self) -> int: ...

    def get_patch_spec(self, index: int) -> _GivenSpecs: ...


class SpecsView(LazySequence[_Specs]):
    """Specifications of a patching strategy, made when they are asked for.

    Parameters
    ----------
    patching : Patching
        The strategy; it must give the same specification whenever it is asked.
    """

    def __init__(self, patching: _Gives[_Specs]) -> None:
        super().__init__(patching.n_patches, patching.get_patch_spec)
