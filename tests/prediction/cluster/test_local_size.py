"""How many processes of this computer a run has, and how each computes; none is started."""

from __future__ import annotations

import pytest

from napari_tessera.prediction.cluster.local import local_size


@pytest.mark.parametrize(
    ("asked", "cores", "gpus", "workers", "threads", "seen"),
    [
        ((None, None), 8, (), 4, 2, ()),
        ((None, None), 1, (), 1, 1, ()),
        ((3, None), 8, (), 3, 2, ()),
        ((None, 3), 8, (), 4, 3, ()),
        ((16, None), 8, (), 16, 1, ()),
        ((None, None), 8, ("0", "1"), 2, 4, ("0", "1")),
        ((3, None), 6, ("4", "7"), 3, 2, ("4", "7", "4")),
    ],
)
def test_how_many_processes(
    asked: tuple[int | None, int | None],
    cores: int,
    gpus: tuple[str, ...],
    workers: int,
    threads: int,
    seen: tuple[str, ...],
) -> None:
    size = local_size(*asked, n_cores=cores, gpus=gpus)
    assert (size.workers, size.threads_per_worker, size.gpus) == (workers, threads, seen)


@pytest.mark.parametrize("asked", [(10**6, None), (None, 1025)])
def test_more_processes_than_any_computer_has(asked: tuple[int | None, int | None]) -> None:
    with pytest.raises(ValueError, match="is above 1024; use fewer"):
        local_size(*asked)


@pytest.mark.parametrize("asked", [(0, None), (None, 0), (-1, 1)])
def test_too_few_processes(asked: tuple[int | None, int | None]) -> None:
    with pytest.raises(ValueError, match="below 1; use 1 or more"):
        local_size(*asked)
