from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models.bioimageio.arrangement import (
    ArrangedModule,
    ArrangedProgram,
    Arrangement,
    arranged,
)
from napari_tessera.models.loaded import Placeable


class Recorder(nn.Module):
    """Remembers what it got, and returns it, or a tuple of it."""

    def __init__(self, as_tuple: bool = False) -> None:
        super().__init__()
        self.got: list[tuple[Any, ...]] = []
        self.as_tuple = as_tuple

    def forward(self, *given: Any) -> Any:
        self.got.append(given)
        return (given[-1] * 2,) if self.as_tuple else given[-1] * 2


@pytest.mark.parametrize(
    ("letters", "batch", "inner"),
    [
        ("NCYX", (2, 3, 4, 5), (2, 3, 4, 5)),
        ("NYXC", (2, 3, 4, 5), (2, 4, 5, 3)),
        ("CXY", (2, 3, 4, 5), (3, 5, 4)),
        ("YX", (2, 1, 4, 5), (4, 5)),
        ("N1CYX", (2, 3, 4, 5), (2, 1, 3, 4, 5)),
        ("NCZYX", (1, 2, 3, 4, 5), (1, 2, 3, 4, 5)),
        ("ZYX1", (2, 1, 3, 4, 5), (3, 4, 5, 1)),
        ("XYZCN", (2, 1, 3, 4, 5), (5, 4, 3, 1, 2)),
    ],
)
def test_there_and_back(letters: str, batch: tuple[int, ...], inner: tuple[int, ...]) -> None:
    recorder = Recorder()
    given = torch.randn(batch)
    network = ArrangedModule(recorder, Arrangement(letters, letters))
    torch.testing.assert_close(network(given), given * 2)
    assert all(tuple(got[0].shape) == inner for got in recorder.got)
    assert len(recorder.got) == (1 if "N" in letters else batch[0])


def test_other_axes_come_out_than_go_in() -> None:
    def to_channels_last(x: Tensor) -> Tensor:
        return x.unsqueeze(-1) + 1

    network = arranged(to_channels_last, Arrangement("YX", "YXC"))
    given = torch.randn(3, 1, 4, 5)
    torch.testing.assert_close(network(given), given + 1)


def test_an_answer_of_other_axes_is_left_for_the_check_that_follows() -> None:
    network = arranged(lambda x: x[0], Arrangement("NYXC", "NYXC"))
    assert network(torch.zeros(1, 1, 4, 5)).shape == (4, 5, 1)


def test_numbers_of_other_types() -> None:
    recorder = Recorder()
    given = torch.tensor([-3.0, 0.4, 7.6, 300.0]).reshape(1, 1, 2, 2)
    ArrangedModule(recorder, Arrangement("NCYX", "NCYX", "uint8"))(given)
    assert recorder.got[0][0].dtype == torch.uint8
    assert recorder.got[0][0].ravel().tolist() == [0, 0, 8, 255]
    ArrangedModule(recorder, Arrangement("NCYX", "NCYX", "bool"))(given)
    assert recorder.got[1][0].tolist() == [[[[True, True], [True, True]]]]


def test_arguments_before_the_image_and_answers_in_tuples() -> None:
    recorder = Recorder(as_tuple=True)
    network = ArrangedModule(recorder, Arrangement("NCYX", "NCYX", position=2))
    given = torch.randn(1, 1, 2, 2)
    torch.testing.assert_close(network(given), given * 2)
    assert recorder.got[0][:2] == (None, None)


def test_too_many_channels_for_a_network_without_them() -> None:
    network = ArrangedModule(Recorder(), Arrangement("YX", "YX"))
    with pytest.raises(ValueError, match="takes no axis C of 2 entries"):
        network(torch.zeros(1, 2, 4, 4))


class _Elsewhere:
    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def __call__(self, x: Tensor) -> Tensor:
        return x

    def placed_on(self, device: torch.device) -> _Elsewhere:
        return _Elsewhere(str(device))


def test_programs_move_to_other_devices() -> None:
    plain = _Elsewhere()
    assert arranged(plain, Arrangement("NCYX", "NCYX")) is plain
    network = arranged(plain, Arrangement("NYXC", "NYXC"))
    assert isinstance(network, ArrangedProgram)
    assert isinstance(network, Placeable)
    moved = network.placed_on(torch.device("meta"))
    assert isinstance(moved, ArrangedProgram)
    assert moved.inner.device == "meta"
    with pytest.raises(RuntimeError, match="CPU only"):
        ArrangedProgram(abs, network.arrangement).placed_on(torch.device("meta"))


def test_modules_are_copied_whole() -> None:
    network = ArrangedModule(nn.Conv2d(1, 1, 1), Arrangement("NYXC", "NYXC"))
    other = copy.deepcopy(network)
    other.inner.weight.data.zero_()
    assert network.inner.weight.item() != 0
