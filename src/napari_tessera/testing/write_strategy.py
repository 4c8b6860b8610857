"""Everything that a write strategy must do, as one call or one check at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from napari_tessera.testing import strategy_checks
from napari_tessera.testing.strategy_subject import ODD_ORDERS, Make, Read, StrategySubject

_IN_ORDER: tuple[Callable[[StrategySubject], None], ...] = (
    strategy_checks.protocol,
    strategy_checks.batches,
    strategy_checks.any_order,
    strategy_checks.whole_tiles,
    strategy_checks.axes_orders,
    strategy_checks.made_channels,
    strategy_checks.regions,
    strategy_checks.data_types,
    strategy_checks.predictions_are_kept,
    strategy_checks.stopped_runs,
    strategy_checks.nothing_is_overwritten,
    strategy_checks.interleaved_images,
)


StrategyCheck = Callable[..., None]
"""Called as `check_write_strategy`."""


def _alone(check: Callable[[StrategySubject], None]) -> StrategyCheck:
    """A check that can be called by itself."""

    def run(make: Make, read: Read, **options: Any) -> None:
        check(StrategySubject(check.__name__, make, read, **options))

    run.__name__, run.__doc__ = check.__name__, check.__doc__
    return run


WRITE_STRATEGY_CHECKS: Mapping[str, StrategyCheck] = MappingProxyType(
    {check.__name__: _alone(check) for check in _IN_ORDER}
)
"""Every check by name, in the order that `check_write_strategy` runs them.

Each is called as that is, so that a test runner shows them one by one::

    @pytest.mark.parametrize("check", WRITE_STRATEGY_CHECKS.values(), ids=WRITE_STRATEGY_CHECKS)
    def test_my_strategy(check):
        check(lambda run: MyStrategy(), lambda run: read_mine(run.dirpath / "cells.mine"))
"""


def check_write_strategy(
    make: Make,
    read: Read,
    *,
    by_hand: bool = True,
    overwrites: bool = False,
    whole_samples: bool = False,
    axes: Sequence[str] = ODD_ORDERS,
    dtypes: Sequence[str] = ("float32", "uint8"),
) -> None:
    """Check that a strategy keeps what `napari_tessera.writing.WriteStrategy` promises.

    Small predicted images are handed to it as the pipeline does it: ``open``, ``write_batch`` in
    another thread, ``close``; and what it wrote is read back and compared, pixel by pixel: tiles in
    any order, cropped or not; axes in any order, folded or not; channels that a model makes; parts
    of an image; data types; stopped runs. It needs no test runner.

    Parameters
    ----------
    make : callable
        Given the `RunInfo` of a run into the folder ``run.dirpath``, makes a strategy.
    read : callable
        Given the same, reads what was written, with whatever library: an array in the order of
        ``run.region.axes``, of ``run.region.selected_shape``. ``run.source`` is the name of the
        image, such as ``"cells.tif"``.
    by_hand : bool, default True
        Whether it takes tiles of several images with no run opened, too.
    overwrites : bool, default False
        Whether it may replace what is there: it was asked to, or writes into memory.
    whole_samples : bool, default False
        Whether it takes predictions of whole samples, and no tiles.
    axes : sequence of str
        Axes of the images that it must take.
    dtypes : sequence of str
        Data types that it must write.

    Raises
    ------
    AssertionError
        At the first difference, in one line: the strategy's type, name of the check and what went
        wrong. Any exception of the strategy itself is its ``__cause__``.
    """
    for check in WRITE_STRATEGY_CHECKS.values():
        check(
            make,
            read,
            by_hand=by_hand,
            overwrites=overwrites,
            whole_samples=whole_samples,
            axes=axes,
            dtypes=dtypes,
        )
