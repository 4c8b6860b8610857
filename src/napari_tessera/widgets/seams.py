"""What plans warn of seams: how high they will be only pixels tell, and for how long that holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import filterfalse
from typing import TYPE_CHECKING, Any

from napari_tessera.widgets.origins import reference

if TYPE_CHECKING:
    from napari_tessera.widgets.layer_run import LayerRun
    from napari_tessera.widgets.reports import PlanReview


def is_of_seams(warning: str) -> bool:
    """Whether a plan's warning is about seams, whose height only the image's pixels tell."""
    return "seams" in warning


def with_measured_seams(of_settings: Iterable[str], of_image: Iterable[str]) -> tuple[str, ...]:
    """Warnings of settings, those of seams as a plan of the image itself has them."""
    measured = filter(is_of_seams, of_image)
    return tuple(dict.fromkeys((*measured, *filterfalse(is_of_seams, of_settings))))


@dataclass(frozen=True)
class SeamCauses:
    """What the height of seams depends on, but for the part of the image in view."""

    data: _Same
    model: Any
    precision: str
    normalization: str
    patch_size: tuple[int, ...]
    overlaps: tuple[int, ...]
    blending: str
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, run: LayerRun, review: PlanReview) -> SeamCauses:
        """What they depend on in a run over a layer whose settings were looked at."""
        request, plan = review.request, review.plan
        return cls(
            _Same(run.source.data),
            request.source,
            plan.precision,
            plan.normalization.kind,
            tuple(plan.patch_size),
            tuple(plan.overlaps),
            plan.blending,
            tuple(filter(is_of_seams, review.warnings)),
        )


class _Same:
    """Equal to what is of the very same object, which is not kept alive where that can be."""

    def __init__(self, data: Any) -> None:
        self._get = reference(data)

    def __eq__(self, other: object) -> bool:
        mine = self._get()
        return isinstance(other, _Same) and mine is not None and mine is other._get()

    __hash__ = None  # type: ignore[assignment]
