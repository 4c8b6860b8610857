"""Everything that a stack must do, as one call or one check at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from napari_tessera.stacks import ImageStack
from napari_tessera.stacks.array import ArrayLike
from napari_tessera.testing import behaviour, described, pixels
from napari_tessera.testing.reference import Patch
from napari_tessera.testing.subject import Subject

Check = Callable[[ImageStack, ArrayLike], None]

_IN_ORDER: tuple[Callable[[Subject], None], ...] = (
    described.protocol,
    described.shapes,
    pixels.whole_samples,
    pixels.sample_order,
    pixels.patches_inside,
    pixels.single_pixels,
    pixels.patches_over_edges,
    pixels.patches_outside,
    pixels.channel_choice,
    pixels.argument_kinds,
    behaviour.result_kind,
    behaviour.own_memory,
    behaviour.no_side_effects,
    behaviour.concurrent_reads,
    behaviour.refused_samples,
    behaviour.refused_channels,
    behaviour.refused_sizes,
    described.metadata,
    described.origins,
)


def _alone(check: Callable[[Subject], None]) -> Check:
    """A check that can be called by itself."""

    def run(stack: ImageStack, reference_array: ArrayLike) -> None:
        check(Subject.of(check.__name__, stack, reference_array))

    run.__name__, run.__doc__ = check.__name__, check.__doc__
    return run


IMAGE_STACK_CHECKS: Mapping[str, Check] = MappingProxyType(
    {check.__name__: _alone(check) for check in _IN_ORDER}
)
"""Every check by name, in the order that `check_image_stack` runs them.

Each is called with a stack and its reference array, so that a test runner shows them one by one::

    @pytest.mark.parametrize("check", IMAGE_STACK_CHECKS.values(), ids=IMAGE_STACK_CHECKS)
    def test_my_stack(check):
        check(MyStack("cells.xyz"), pixels_of_cells)
"""


def check_image_stack(stack: ImageStack, reference_array: ArrayLike) -> None:
    """Check that a stack keeps what `napari_tessera.stacks.ImageStack` promises.

    Attributes and metadata; pixels of whole samples and of patches inside the image, over each
    edge and outside; channels in any order; type and memory of what is handed out; reading from
    several threads; what must be refused. The patches are the same in every run, and few: a
    stack may be far larger than memory. It needs no test runner. Stacks that can be closed have
    `check_closes` besides.

    Parameters
    ----------
    stack : ImageStack
        The stack. Only reading is asked of it, and it stays open.
    reference_array : array-like
        The same pixels in the stack's ``original_axes`` and dtype: a NumPy array, or anything
        that slices like one. Faults show best where every pixel has a value of its own and none
        is zero. Of a `SampleView` it is the array of the stack that is looked at, not folded.

    Raises
    ------
    AssertionError
        At the first difference, in one line: source of the stack, name of the check, the call
        and what it gave. Any exception of the stack itself is its ``__cause__``.
    """
    for check in IMAGE_STACK_CHECKS.values():
        check(stack, reference_array)


def check_patch(stack: ImageStack, reference_array: ArrayLike, patch: Patch) -> None:
    """Check one patch, for tests that choose patches themselves.

    Parameters
    ----------
    stack, reference_array
        As for `check_image_stack`.
    patch : tuple
        Sample, channels or None, coords and size: arguments of ``extract_patch``.

    Raises
    ------
    AssertionError
        If pixels, type or memory of what is read are not what they must be.
    """
    subject = Subject.of("check_patch", stack, reference_array)
    found = subject.read(patch)
    subject.compare_read(patch, found)
    subject.require_plain(patch, found)
    subject.require_copy(patch, found)
