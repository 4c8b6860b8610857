"""What a built-in model has to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from benchmarks.goals import Goal
from benchmarks.quality_parts.cases import PACKAGED, PAIRS, STACKS, Case
from benchmarks.quality_parts.results import Results
from benchmarks.rounds import Timings

BLUR, BM3D, BM4D, PLANES = "best blur", "BM3D", "BM4D", "plane by plane"

Gain = tuple[str, str, float | None]
"""A group of cases, a method, and by how many dB the mean has to be better; None: no goal."""

IMAGES: tuple[Gain, ...] = ((PACKAGED, BM3D, 0.3), (PAIRS, BM3D, 0.0))
VOLUMES: tuple[Gain, ...] = ((STACKS, PLANES, 0.0), (STACKS, BM4D, None))


def goals(
    results: Results,
    method: str,
    gains: Sequence[Gain],
    speed: tuple[Timings, str] | None,
) -> list[Goal]:
    """What a method is judged by; *least* and *most* are over the cases.

    Parameters
    ----------
    results : Results
        All cases, with the blur and what it is compared with.
    method : str
        The one to judge.
    gains : sequence of Gain
        What mean PSNR is compared with.
    speed : (Timings, str) or None
        Of the method and of the one that it has to be 20 times as fast as.
    """
    found = [
        _gain(results, method, over, group, limit)
        for group, over, limit in gains
        if any(case.group == group for case in results.cases)
    ]
    found += _on_every(results, method)
    if speed is not None:
        timings, slow = speed
        found.append(Goal(f"speed, against {slow}", *timings.ratio(slow, method), 20.0))
    return found


def _gain(results: Results, method: str, over: str, group: str, limit: float | None) -> Goal:
    cases = [case for case in results.cases if case.group == group]
    each = results.gains(method, over, cases)
    what = f"mean PSNR over {over}, {group} ({len(cases)})"
    return Goal(what, mean(each), min(each), max(each), limit, unit="dB")


def _on_every(results: Results, method: str) -> Sequence[Goal]:
    cases = results.cases
    blur = results.gains(method, BLUR, cases)
    measures = results.of(method, cases)
    off = [100 * abs(m.sum - 1) for m in measures]
    lags = [m.worst_lag for m in measures]
    return [
        Goal(
            f"PSNR over the {BLUR}, worst ({_name(cases, blur, min)})",
            *(min(blur), min(blur), max(blur)),
            0.0,
            unit="dB",
        ),
        Goal(
            f"Σ out/in off 1, worst ({_name(cases, off, max)})",
            *(max(off), min(off), max(off)),
            1.0,
            at_most=True,
            unit="%",
        ),
        Goal(
            f"lag-1 correlation of the residual in size, worst ({_name(cases, lags, max)})",
            *(max(lags), min(lags), max(lags)),
            0.1,
            at_most=True,
            unit="",
        ),
    ]


def _name(cases: Sequence[Case], figures: Sequence[float], which: type | object) -> str:
    """The case of the least or the largest figure."""
    at = figures.index(which(figures))  # type: ignore[operator]
    return cases[at].name
