from __future__ import annotations

from typing import Any

import pytest

from napari_tessera.writing.stored.differences import check_same_run, differences
from napari_tessera.writing.stored.run_attributes import run_attributes

PLAN: dict[str, Any] = {
    "fingerprint_of": {
        "version": 2,
        "input_shape": [512, 512],
        "input_fingerprint": "0" * 64,
        "model_name": "n2v",
        "model_sha256": "a" * 64,
        "patch_size": [256, 256],
        "normalization": {"kind": "series", "values": [[[3.5]]]},
        "output_dtype": "float32",
    },
    "settings": {"batch_size": 1},
}


def changed(**values: Any) -> dict[str, Any]:
    return {"fingerprint_of": {**PLAN["fingerprint_of"], **values}, "settings": {"batch_size": 9}}


def test_run_settings_are_no_difference() -> None:
    assert differences(PLAN, changed()) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"model_name": "care", "model_sha256": "b" * 64},
            ["the model (n2v there, care now)"],
        ),
        ({"model_sha256": "b" * 64}, ["the model's weights (aaaaaaaa… there, bbbbbbbb… now)"]),
        (
            {
                "input_fingerprint": "1" * 64,
                "normalization": {"kind": "series", "values": [[[4.5]]]},
            },
            ["the image's pixels (00000000… there, 11111111… now)"],
        ),
        (
            {"normalization": {"kind": "none", "values": [[[4.5]]]}},
            [
                "normalization.kind (series there, none now)",
                "normalization.values ([[[3.5]]] there, [[[4.5]]] now)",
            ],
        ),
        ({"tta": "mean"}, ["tta (nothing there, mean now)"]),
        ({"patch_size": (256, 256)}, []),
        (
            {"output_dtype": "uint8", "input_shape": [9, 9]},
            [
                "the image's shape (512,512 there, 9,9 now)",
                "output_dtype (float32 there, uint8 now)",
            ],
        ),
    ],
)
def test_what_differs_is_said_in_words(values: dict[str, Any], said: list[str]) -> None:
    assert differences(PLAN, changed(**values)) == said


def test_many_differences_are_counted_in_one_line(tiled_image: Any) -> None:
    run = tiled_image("YX", (40, 40), (20, 20), (4, 4)).run(plan=PLAN)
    stored = run_attributes(run)
    check_same_run(stored, run, "x.ome.zarr")
    stored["fingerprint"] = "beef"
    stored["plan"] = changed(patch_size=[1, 1], output_dtype="uint8", tta="mean", fold="Z")
    with pytest.raises(
        ValueError, match=r"^x\.ome\.zarr cannot be resumed.* and 1 more differ; "
    ) as e:
        check_same_run(stored, run, "x.ome.zarr")
    assert "\n" not in str(e.value)
    long = {"plan": changed(region_selection={"X": list(range(99))})}
    with pytest.raises(ValueError, match=r"the area\.X .*\.\.\. there, nothing now\) differs"):
        check_same_run(long, run, "x.ome.zarr")


def test_a_plan_that_was_edited_is_not_another_images(tiled_image: Any) -> None:
    image, edited = tiled_image("YX", (40, 40), (20, 20), (4, 4)), changed(patch_size=[9, 9])
    stored = {**run_attributes(image.run(plan=PLAN)), "plan": edited}
    # it is gone on with by the plan that is there now
    run = image.run(plan=edited, fingerprint="beef")
    with pytest.raises(ValueError, match=r"^x cannot be resumed: what it says of its run was chan"):
        check_same_run(stored, run, "x")


def test_a_store_without_a_plan_is_of_another_run(tiled_image: Any) -> None:
    run = tiled_image("YX", (40, 40), (20, 20), (4, 4)).run(plan={})
    with pytest.raises(ValueError, match="another run: the image or the model differs"):
        check_same_run({}, run, "x.ome.zarr")
