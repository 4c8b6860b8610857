"""The specifications of a strategy as a sequence, none of them stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from napari_tessera.patching.protocol import Patching
from napari_tessera.patching.types import PatchSpecs


class SpecsView(Sequence[PatchSpecs]):
    """Specifications of a patching strategy, made when they are asked for.

    As in any sequence, negative numbers count from the end, and a slice gives a list.

    Parameters
    ----------
    patching : Patching
        The strategy; it must give the same specification whenever it is asked.
    """

    def __init__(self, patching: Patching) -> None:
        self._patching = patching

    def __len__(self) -> int:
        return self._patching.n_patches

    @overload
    def __getitem__(self, item: int) -> PatchSpecs: ...
    @overload
    def __getitem__(self, item: slice) -> list[PatchSpecs]: ...
    def __getitem__(self, item: int | slice) -> PatchSpecs | list[PatchSpecs]:
        numbers = range(self._patching.n_patches)[item]
        if isinstance(numbers, range):
            return [self._patching.get_patch_spec(number) for number in numbers]
        return self._patching.get_patch_spec(numbers)
