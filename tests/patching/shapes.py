"""Image stacks and patch sizes for the tests of patching, and what every patch must satisfy."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from napari_tessera.patching import Patching, PatchSpecs

# What other people's tests of such strategies use.
STACKS_2D = [(2, 1, 32, 32), (1, 1, 19, 37), (3, 1, 14, 9)]
STACKS_3D = [(2, 1, 32, 32, 32), (1, 1, 19, 37, 23), (3, 1, 14, 9, 12)]
COMMON = [(STACKS_2D, (8, 8)), (STACKS_2D, (8, 5)), (STACKS_3D, (8, 8, 8)), (STACKS_3D, (8, 5, 7))]


@st.composite
def stacks_and_patch(draw: st.DrawFn) -> tuple[list[tuple[int, ...]], tuple[int, ...]]:
    """Some small image stacks, and a patch that fits into all of them."""
    n_spatial = draw(st.integers(2, 3))
    patch = tuple(draw(st.integers(1, 7)) for _ in range(n_spatial))
    stacks = draw(
        st.lists(
            st.tuples(
                st.integers(1, 3),
                st.integers(1, 2),
                *(st.integers(size, size + 12) for size in patch),
            ),
            min_size=1,
            max_size=3,
        )
    )
    return stacks, patch


def specs_of(patching: Patching) -> list[PatchSpecs]:
    return [patching.get_patch_spec(index) for index in range(patching.n_patches)]


def place(spec: PatchSpecs) -> tuple[int | slice, ...]:
    """Where a patch lies in an array ``S(Z)YX``."""
    at = zip(spec["coords"], spec["patch_size"], strict=True)
    return (spec["sample_idx"], *(slice(start, start + size) for start, size in at))


def assert_plain_and_inside(spec: PatchSpecs, stacks: Sequence[Sequence[int]]) -> None:
    """The patch lies inside its image, and is told in plain Python numbers."""
    assert type(spec["data_idx"]) is int
    assert type(spec["sample_idx"]) is int
    shape = stacks[spec["data_idx"]]
    assert 0 <= spec["sample_idx"] < shape[0]
    for start, size, axis in zip(spec["coords"], spec["patch_size"], shape[2:], strict=True):
        assert type(start) is int
        assert type(size) is int
        assert 0 <= start <= axis - size
    assert type(spec["coords"]) is tuple
    assert type(spec["patch_size"]) is tuple
