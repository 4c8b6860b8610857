"""A stack beside the array it must equal: reading, comparing, one line on what differs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.axes import validate_axes
from napari_tessera.stacks import ImageStack, SampleView
from napari_tessera.stacks.array import ArrayLike
from napari_tessera.stacks.checks import error_line
from napari_tessera.testing.reference import Patch, Reference

_ATTRIBUTES = (
    "source",
    "data_shape",
    "data_dtype",
    "original_data_shape",
    "original_axes",
    "extract_patch",
)


@dataclass(frozen=True)
class Subject:
    """One check of one stack.

    Parameters
    ----------
    check : str
        What the check is called in messages.
    stack : ImageStack
        The stack.
    reference : Reference
        What it must hold.
    """

    check: str
    stack: ImageStack
    reference: Reference

    @classmethod
    def of(cls, check: str, stack: ImageStack, reference_array: ArrayLike) -> Subject:
        """Put a stack beside its array.

        Raises
        ------
        AssertionError
            If no patch could be compared: an attribute is missing, or the axes do not describe
            the array.
        """
        missing = [name for name in _ATTRIBUTES if not hasattr(stack, name)]
        if missing:
            raise AssertionError(f"{type(stack).__name__}: {check}: it has no {missing[0]}")
        fold = stack.layout.fold if isinstance(stack, SampleView) else ""
        subject = cls(check, stack, Reference(reference_array, stack.original_axes, fold))
        try:
            validate_axes(stack.original_axes, tuple(reference_array.shape))
        except (TypeError, ValueError) as error:
            raise subject.failed(
                f"original_axes {stack.original_axes!r} do not describe the reference array: "
                f"{error_line(error)}"
            ) from error
        return subject

    def failed(self, problem: str, patch: Patch | None = None) -> AssertionError:
        """What to raise: stack, check, call and difference, in one line."""
        source: Any = self.stack.source
        name = source if isinstance(source, str) and source else type(self.stack).__name__
        call = "" if patch is None else f"{call_text(patch)} "
        return AssertionError(" ".join(f"{name}: {self.check}: {call}{problem}".split()))

    def require(self, condition: bool, problem: str, patch: Patch | None = None) -> None:
        """Raise unless a condition holds."""
        if not condition:
            raise self.failed(problem, patch)

    def read(self, patch: Patch) -> NDArray[np.generic]:
        """Read a patch, whose shape must be right."""
        try:
            found = self.stack.extract_patch(*patch)
        except Exception as error:
            raise self.failed(f"raised {error_line(error)}", patch) from error
        self.require(
            isinstance(found, np.ndarray),
            f"gave a {type(found).__name__} instead of a NumPy array",
            patch,
        )
        _, channels, _, size = patch
        count = self.reference.shape[1] if channels is None else len(channels)
        shape = (count, *(int(n) for n in size))
        self.require(found.shape == shape, f"has shape {found.shape} instead of {shape}", patch)
        return found

    def compare(self, *patches: Patch, hint: str = "") -> None:
        """Read patches and compare each with the array."""
        for patch in patches:
            self.compare_read(patch, self.read(patch), hint)

    def compare_read(self, patch: Patch, found: NDArray[np.generic], hint: str = "") -> None:
        """Compare what was read with the array; NaN equals NaN."""
        expected = self.reference.patch(patch)
        unlike = np.asarray(found != expected)
        if found.dtype.kind == "f" and expected.dtype.kind == "f":
            unlike &= ~(np.isnan(found) & np.isnan(expected))
        count = int(np.count_nonzero(unlike))
        if not count:
            return
        first = np.unravel_index(int(np.argmax(unlike)), unlike.shape)
        letters = "C" + self.reference.spatial
        at = " ".join(f"{letter}={i}" for letter, i in zip(letters, first, strict=True))
        raise self.failed(
            f"differs in {count} of {unlike.size} pixels, first at {at} of the patch: "
            f"{found[first]} instead of {expected[first]}{hint and f' ({hint})'}",
            patch,
        )

    def require_plain(self, patch: Patch, found: NDArray[np.generic]) -> None:
        """Check that what was read is a plain array, ready to be worked on."""
        kind, dtype, wanted = type(found), found.dtype, self.stack.data_dtype
        self.require(kind is np.ndarray, f"is a {kind.__name__}, not a plain ndarray", patch)
        self.require(dtype == wanted, f"has dtype {dtype} instead of {wanted}", patch)
        self.require(dtype.isnative, f"has dtype {dtype!r}, not in native byte order", patch)
        self.require(found.flags.c_contiguous, "is not C-contiguous", patch)
        self.require(found.flags.writeable, "is read-only", patch)

    def require_copy(self, patch: Patch, found: NDArray[np.generic]) -> None:
        """Check that what was read is not the array itself."""
        array = self.reference.array
        shared = isinstance(array, np.ndarray) and np.may_share_memory(found, array)
        self.require(not shared, "is a view of the image's own memory; return a copy", patch)

    def refused(self, kind: type[Exception], why: str, patches: Iterable[Patch]) -> None:
        """Check that reading each patch raises ``kind``."""
        for patch in patches:
            try:
                self.stack.extract_patch(*patch)
            except kind:
                continue
            except Exception as error:
                raise self.failed(
                    f"raised {error_line(error)} instead of {kind.__name__}: {why}", patch
                ) from error
            raise self.failed(f"was read instead of raising {kind.__name__}: {why}", patch)


def call_text(patch: Patch) -> str:
    """A call of ``extract_patch`` as text, whatever its numbers are made of."""
    sample, channels, coords, size = patch
    chosen = None if channels is None else _plain(channels)
    return f"extract_patch({int(sample)}, {chosen}, {_plain(coords)}, {_plain(size)})"


def _plain(values: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)
