"""A goal is met by what meets it on every image that it is about, and the worst one is named."""

from __future__ import annotations

import numpy as np
from benchmarks.quality_parts.cases import PACKAGED, PAIRS, Case
from benchmarks.quality_parts.judging import BLUR, BM3D, IMAGES, goals
from benchmarks.quality_parts.measures import Measures
from benchmarks.quality_parts.noise import gaussian, poisson
from benchmarks.quality_parts.results import Results, by_case, by_group, settings
from benchmarks.rounds import Timings

ZEROS = np.zeros((2, 2))
CASES = [
    Case(PAIRS, "fish", ZEROS, ZEROS, (poisson(10),)),
    Case(PACKAGED, "camera, σ 25", ZEROS, ZEROS, (gaussian(25),)),
    Case(PACKAGED, "camera, peak 5", ZEROS, ZEROS, (poisson(5),)),
]
OWN = "own"


def figures(psnr: float, total: float = 1.0, lag: float = 0.0) -> Measures:
    return Measures(psnr, psnr, 0.9, total, (0.0, lag))


def results(*own: Measures) -> Results:
    found = Results(CASES)
    for case, measures in zip(CASES, own, strict=True):
        found.add(BLUR, case, figures(28), "σ = 1.0 px")
        found.add(BM3D, case, figures(30))
        found.add(OWN, case, measures)
    return found


def verdicts(found: Results, *seconds: float) -> dict[str, bool | None]:
    timings = Timings({BM3D: [20.0, 22.0, 21.0], OWN: list(seconds)}) if seconds else None
    judged = goals(found, OWN, IMAGES, (timings, BM3D) if timings else None)
    return {goal.what: goal.is_met for goal in judged}


def test_all_goals_are_met_by_what_is_better_everywhere() -> None:
    good = results(figures(30), figures(30.2, 0.995), figures(30.5, 1.0, -0.09))
    assert list(verdicts(good, 1.0, 1.0, 1.1).values()) == [True] * 6
    assert len(verdicts(good)) == 5


def test_means_are_compared_with_bm3d_and_the_worst_image_with_the_blur() -> None:
    uneven = verdicts(results(figures(29.9), figures(33), figures(27.9)))
    assert uneven["mean PSNR over BM3D, packaged (2)"]
    assert not uneven["mean PSNR over BM3D, pairs (1)"]
    assert not uneven["PSNR over the best blur, worst (camera, peak 5)"]


def test_intensity_and_residual_are_judged_in_size() -> None:
    off = verdicts(results(figures(31, 0.98), figures(31, 1.005), figures(31, 1.0, -0.2)))
    assert off["Σ out/in off 1, worst (fish)"] is False
    assert off["lag-1 correlation of the residual in size, worst (camera, peak 5)"] is False


def test_speed_is_the_ratio_of_medians() -> None:
    good = results(*[figures(31)] * 3)
    assert verdicts(good, 1.0, 1.0, 9.0)["speed, against BM3D"]
    assert not verdicts(good, 1.2, 1.2, 0.1)["speed, against BM3D"]


def test_tables_have_a_row_for_each_case_and_each_method() -> None:
    found = results(figures(30), figures(31), figures(32))
    table = list(by_case(found))
    assert table[0] == "| image | best blur | BM3D | own |"
    assert "| camera, σ 25 | 28.00 | 30.00 | **31.00** |" in table
    groups = list(by_group(found))
    assert "PSNR, packaged, Poisson (1)" in groups[0]
    assert [row.split(" | ")[0] for row in groups[2:]] == ["| best blur", "| BM3D", "| own"]
    assert len(list(settings(found))) == 2 + 3
