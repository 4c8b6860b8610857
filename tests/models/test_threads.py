from __future__ import annotations

import pytest
import torch

from napari_tessera.models.threads import few_threads


@pytest.mark.parametrize("are_enough", [True, False])
def test_threads_are_as_before_whatever_happens(are_enough: bool) -> None:
    torch.set_num_threads(2)
    with few_threads(are_enough):
        assert torch.get_num_threads() == (1 if are_enough else 2)
    assert torch.get_num_threads() == 2
    with pytest.raises(ZeroDivisionError), few_threads(are_enough):
        _ = 1 / 0
    assert torch.get_num_threads() == 2
