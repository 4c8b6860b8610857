from __future__ import annotations

from threading import Event, Thread

import pytest
import torch

from napari_tessera.models.threads import few_threads, own_threads


@pytest.mark.parametrize("are_enough", [True, False])
def test_threads_are_as_before_whatever_happens(are_enough: bool) -> None:
    torch.set_num_threads(2)
    with few_threads(are_enough):
        assert torch.get_num_threads() == (1 if are_enough else 2)
    assert torch.get_num_threads() == 2
    with pytest.raises(ZeroDivisionError), few_threads(are_enough):
        _ = 1 / 0
    assert torch.get_num_threads() == 2


def _of_new_thread() -> int:
    found: list[int] = []
    thread = Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("count", [1, 3])
def test_threads_that_are_born_meanwhile_are_not_concerned(count: int) -> None:
    torch.set_num_threads(2)
    go_on, found = Event(), []

    def work() -> None:
        found.append(torch.get_num_threads())
        go_on.wait(10)
        torch.rand(200, 200) @ torch.rand(200, 200)
        found.append(torch.get_num_threads())

    with own_threads(count):
        assert torch.get_num_threads() == count
        longer = Thread(target=work)
        longer.start()
        assert _of_new_thread() == 2
    go_on.set()
    longer.join()
    assert found == [2, 2]
    assert (torch.get_num_threads(), _of_new_thread()) == (2, 2)


def test_a_number_of_its_own_stays_with_its_thread() -> None:
    torch.set_num_threads(2)
    with own_threads(3), own_threads(None):
        assert torch.get_num_threads() == 3
        with own_threads(1):
            assert (torch.get_num_threads(), _of_new_thread()) == (1, 2)
        assert (torch.get_num_threads(), _of_new_thread()) == (3, 2)
