"""Figures of every method on every case, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean

from benchmarks.quality_parts.cases import Case
from benchmarks.quality_parts.measures import Measures

NOISY = "noisy"


@dataclass
class Results:
    """What was measured.

    Parameters
    ----------
    cases : list of Case
        In the order of tables.
    measures : dict
        By method, then by the name of the case.
    how : dict
        What the method was set to, likewise.
    """

    cases: list[Case]
    measures: dict[str, dict[str, Measures]] = field(default_factory=dict)
    how: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, method: str, case: Case, measures: Measures, how: str = "") -> None:
        self.measures.setdefault(method, {})[case.name] = measures
        self.how.setdefault(method, {})[case.name] = how

    def of(self, method: str, cases: Sequence[Case]) -> list[Measures]:
        return [self.measures[method][case.name] for case in cases]

    def gains(self, method: str, over: str, cases: Sequence[Case]) -> list[float]:
        """How many dB a method is better than another, by case."""
        pairs = zip(self.of(method, cases), self.of(over, cases), strict=True)
        return [own.psnr - other.psnr for own, other in pairs]

    def groups(self) -> dict[str, list[Case]]:
        """Cases of each kind, in words."""
        found: dict[str, list[Case]] = {}
        for case in self.cases:
            found.setdefault(case.group, []).append(case)
            if case.group != "pairs":
                kind = "Gaussian" if case.is_gaussian else "Poisson"
                found.setdefault(f"{case.group}, {kind}", []).append(case)
        return found

    def to_json(self) -> dict[str, object]:
        return {
            method: {
                name: {**measures.to_json(), "how": self.how[method][name]}
                for name, measures in found.items()
            }
            for method, found in self.measures.items()
        }


def by_case(results: Results) -> Iterator[str]:
    """Rows of PSNR of every method on every case."""
    methods = list(results.measures)
    yield from head("image", *methods)
    for case in results.cases:
        found = [results.measures[method][case.name].psnr for method in methods]
        best = max(found)
        # of more than one method where they are as good
        cells = [f"**{psnr:.2f}**" if psnr == best else f"{psnr:.2f}" for psnr in found]
        yield row(case.name, *cells)


def by_group(results: Results) -> Iterator[str]:
    """Rows of means: PSNR and SSIM of each group, and what is farthest from what it should be."""
    groups = results.groups()
    whole = [name for name in groups if "," not in name]
    yield from head(
        "method",
        *(f"PSNR, {name} ({len(cases)})" for name, cases in groups.items()),
        *(f"SSIM, {name}" for name in whole),
        *(f"scaled PSNR, {name}" for name in whole if name == "pairs"),
        "Σ out/in",
        "largest lag-1",
    )
    for method in results.measures:
        everything = results.of(method, results.cases)
        sums = [measures.sum for measures in everything]
        yield row(
            method,
            *(f"{mean(m.psnr for m in results.of(method, c)):.2f}" for c in groups.values()),
            *(f"{mean(m.ssim for m in results.of(method, groups[name])):.3f}" for name in whole),
            *(
                f"{mean(m.scaled for m in results.of(method, groups[name])):.2f}"
                for name in whole
                if name == "pairs"
            ),
            f"{min(sums):.3f} to {max(sums):.3f}",
            f"{max(measures.worst_lag for measures in everything):.2f}",
        )


def settings(results: Results) -> Iterator[str]:
    """Rows of what each method was set to with the clean image in hand."""
    yield from head("image", "method", "set to")
    for case in results.cases:
        for method, found in results.how.items():
            if found[case.name]:
                yield row(case.name, method, found[case.name])


def head(*names: str) -> Iterator[str]:
    yield row(*names)
    yield "|---|" + "--:|" * (len(names) - 1)


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
