"""Which plans give the same pixels, whatever part of the image they are for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np

from napari_tessera.prediction import PredictionPlan
from napari_tessera.prediction.normalization import Normalization

_OF_THE_AREA = ("version", "region_selection", "inside")
"""What of a plan says for which part of the image it is; a tile has the same pixels in all."""


def pixels_key(plan: PredictionPlan, device: str) -> str:
    """Name for all that decides the pixels of a tile, but the image's grey levels.

    Tiles of two plans with one name are the same where, besides, their samples have the same
    statistics (`same_statistics`).

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    device : str
        What the model runs on: kernels differ.
    """
    deciding = dict(plan.to_dict()["fingerprint_of"])
    for name in _OF_THE_AREA:
        deciding.pop(name, None)
    of_image = deciding["normalization"]
    # The area decides which samples have statistics in the plan.
    deciding["normalization"] = {
        k: v for k, v in of_image.items() if k not in ("samples", "values")
    }
    # Cores are made in one of two types; what they are written as does not change them.
    output = np.dtype(deciding.pop("output_dtype"))
    deciding["wide"] = output.itemsize > 2 and output != np.float32
    deciding["device"] = device
    deciding["batch"] = plan.settings.batch_size
    deciding["threads"] = plan.settings.torch_threads
    text = json.dumps(deciding, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def same_statistics(one: Normalization, other: Normalization, sample: int) -> bool:
    """Whether a sample (not folded) has the same statistics in two plans with one `pixels_key`."""
    for each in (one, other):
        if each.samples and sample < each.samples[0]:
            return False
    ours, theirs = one.row(sample), other.row(sample)
    if one.samples and other.samples and one.samples[ours] != other.samples[theirs]:
        return False
    return one.values[ours] == other.values[theirs]


def with_samples(known: Normalization, more: Normalization) -> Normalization:
    """The statistics of the samples of both, which are of one kind."""
    if not known.samples:
        return known
    rows = dict(zip(known.samples, known.values, strict=True))
    rows.update(zip(more.samples, more.values, strict=True))
    samples = tuple(sorted(rows))
    return replace(known, samples=samples, values=tuple(rows[sample] for sample in samples))
