from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier

import numpy as np
import pytest

from napari_tessera.stacks.array import ArrayStack
from napari_tessera.stacks.tiff.stack_pool import StackPool


class Stack(ArrayStack):
    """A stack that tells when it is closed."""

    def __init__(self, number: int) -> None:
        super().__init__(np.full((2, 2), number), "YX")
        self.number = number
        self.times_closed = 0

    def close(self) -> None:
        super().close()
        self.times_closed += 1


@pytest.fixture
def opened() -> list[Stack]:
    return []


@pytest.fixture
def open_one(opened: list[Stack]) -> Callable[[int], Stack]:
    def open_one(number: int) -> Stack:
        opened.append(Stack(number))
        return opened[-1]

    return open_one


def test_those_used_last_stay_open(open_one: Callable[[int], Stack], opened: list[Stack]) -> None:
    pool = StackPool(open_one, 2)
    for number in (0, 1, 0, 2, 0, 1):
        with pool.use(number) as stack:
            assert stack.number == number
    assert [stack.number for stack in opened] == [0, 1, 2, 1]
    assert [stack.times_closed for stack in opened] == [0, 1, 1, 0]
    assert len(pool) == 2
    pool.close()
    assert [stack.times_closed for stack in opened] == [1, 1, 1, 1]


def test_what_is_in_use_is_not_closed(
    open_one: Callable[[int], Stack], opened: list[Stack]
) -> None:
    pool = StackPool(open_one, 1)
    with pool.use(0) as first, pool.use(1), pool.use(0) as again:
        assert again is first
        pool.close()
        assert [stack.times_closed for stack in opened] == [0, 0]
    assert [stack.times_closed for stack in opened] == [1, 1]
    assert len(pool) == 0


def test_two_threads_that_open_the_same_share_one(opened: list[Stack]) -> None:
    both = Barrier(2)

    def open_one(number: int) -> Stack:
        both.wait(10)
        opened.append(Stack(number))
        return opened[-1]

    pool = StackPool(open_one, 1)

    def use(number: int) -> Stack:
        with pool.use(number) as stack:
            return stack

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(use, [0, 0])
    assert one is other
    assert sorted(stack.times_closed for stack in opened) == [0, 1]
    assert one.times_closed == 0


def test_a_failure_to_open_leaves_nothing_behind() -> None:
    def fail(number: int) -> Stack:
        raise OSError("gone")

    pool = StackPool(fail, 1)
    with pytest.raises(OSError, match="gone"), pool.use(0):
        pass
    assert len(pool) == 0


def test_many_threads(open_one: Callable[[int], Stack], opened: list[Stack]) -> None:
    pool = StackPool(open_one, 3)

    def use(seed: int) -> None:
        for number in Random(seed).choices(range(8), k=200):
            with pool.use(number) as stack:
                assert stack.extract_patch(0, None, (0, 0), (1, 1)) == number

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(use, range(8)))
    assert len(pool) == 3
    pool.close()
    assert {stack.times_closed for stack in opened} == {1}
