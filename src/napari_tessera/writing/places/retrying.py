"""A store that tries again what failed in passing, and says plainly what failed for good."""

from __future__ import annotations

from typing import Any

from zarr.abc.store import Store

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.zarr.retrying import (
    CREDENTIALS,
    FOR_GOOD,
    FULL,
    READ_ONLY,
    PatientStore,
    PlaceError,
    lacks_credentials,
    status_of,
)


class StoreError(PlaceError):
    """A store did not take or give what it should; ``errno`` is set where the cause has one."""

    def __init__(self, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message)
        number = getattr(cause, "errno", None)
        if isinstance(number, int):
            self.errno = number

    @property
    def full(self) -> bool:
        """Whether there is no space left."""
        return self.errno in FULL


def store_error(name: str, error: BaseException, tries: int = 1) -> StoreError:
    """What is told of a place that failed: one line, with the way out."""
    number = getattr(error, "errno", None)
    what = error_line(error)
    if number in FULL:
        text = f"no space left on {name}: make room and resume"
    elif lacks_credentials(error):
        text = f"{name} needs to know who asks ({what}): {CREDENTIALS}"
    elif number in READ_ONLY or isinstance(error, PermissionError) or _is_refusal(error):
        text = f"{name} may not be written to or read ({what}): mend its permissions and resume"
    elif isinstance(error, FOR_GOOD):
        text = f"{name} is not what it was ({what}): something else changed it; choose another name"
    elif tries == 1:
        text = f"{name} takes or gives nothing ({what}): choose another place"
    else:
        text = f"{name} failed {tries} times, at last with: {what}; resume when it works again"
    return StoreError(text, error)


def _is_refusal(error: BaseException) -> bool:
    return status_of(error) in (401, 403)


class RetryingStore(PatientStore):
    """A store that is written to, and asked again as `PatientStore` does.

    Raises
    ------
    StoreError
        From each operation: where it failed for good, or once more than there are delays.
    """

    def _told(self, error: Exception, tries: int) -> StoreError:
        return store_error(self.name, error, tries)


def as_retrying(store: Store, name: str | None = None, **settings: Any) -> RetryingStore:
    """Wrap a store, unless it tries again by itself."""
    return (
        store if isinstance(store, RetryingStore) else RetryingStore(store, name=name, **settings)
    )
