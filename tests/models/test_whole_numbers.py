from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_tessera.models.whole_numbers import as_type

WHOLE = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_wraps(name: str) -> None:
    limits = np.iinfo(name)
    given = torch.tensor([-3e19, -1e5, -1.6, 0.4, 1.5, 100.6, 1e5, 3e19])
    found = as_type(given, getattr(torch, name)).numpy()
    assert found.dtype == name
    exact = [min(max(round(float(value)), int(limits.min)), int(limits.max)) for value in given]
    # float32 holds 24 digits of what lies below the greatest number
    assert [int(value) for value in found[:-1]] == exact[:-1]
    assert exact[-1] - (exact[-1] >> 23) <= int(found[-1]) <= exact[-1]


def test_other_types() -> None:
    given = torch.tensor([0.0, 0.4, -3.0])
    assert as_type(given, torch.float32) is given
    assert as_type(given, torch.float16).dtype == torch.float16
    assert as_type(given, torch.bool).tolist() == [False, True, True]
