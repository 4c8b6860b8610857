"""A store that tries again what failed in passing, and says plainly what failed for good."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

from napari_tessera.stacks.checks import one_line

DELAYS = (0.5, 2.0, 8.0)
"""Seconds to wait before the second, third and fourth try."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of a place that is full."""

READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""Errors of a place that may not be written to."""

_FOR_GOOD = (
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
_NETWORK = frozenset(
    {
        *("aiobotocore", "aiohttp", "asyncio", "azure", "botocore", "gcsfs", "google", "http"),
        *("httpcore", "httpx", "paramiko", "requests", "ssl", "urllib3"),
    }
)
"""Packages whose errors are of the network, whatever they are derived from."""

_PASSING_STATUS = frozenset({408, 425, 429})
"""What a web server answers that is asked too early, too late or too often."""

_T = TypeVar("_T")


class StoreError(OSError):
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
    what = one_line(error)
    if number in FULL:
        text = f"no space left on {name}: make room and resume"
    elif number in READ_ONLY or isinstance(error, PermissionError) or _status(error) in (401, 403):
        text = f"{name} may not be written to or read ({what}): mend its permissions and resume"
    elif isinstance(error, _FOR_GOOD):
        text = f"{name} is not what it was ({what}): something else changed it; choose another name"
    elif tries == 1:
        text = f"{name} takes or gives nothing ({what}): choose another place"
    else:
        text = f"{name} failed {tries} times, at last with: {what}; resume when it works again"
    return StoreError(text, error)


def is_passing(error: BaseException) -> bool:
    """Whether an error may be gone at the next try: of the network, or of a disk for a moment."""
    if isinstance(error, OSError):
        if isinstance(error, (*_FOR_GOOD, StoreError)):
            return False
        if error.errno in FULL | READ_ONLY | {errno.ENOTDIR}:
            return False
    elif not _of_network(error):
        return False
    status = _status(error)
    return status is None or status in _PASSING_STATUS or (status >= 500 and status != 501)


def _of_network(error: BaseException) -> bool:
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, EOFError) or (isinstance(error, Exception) and package in _NETWORK)


def _of_place(error: Exception) -> bool:
    return isinstance(error, OSError) or _of_network(error)


def _status(error: BaseException) -> int | None:
    """What a web server answered."""
    status = getattr(error, "status", None)
    return status if isinstance(status, int) and status >= 400 else None


class RetryingStore(WrapperStore[Store]):
    """Hands everything on to a store, and tries again what failed in passing.

    A value is handed on whole each time, under the same key, so that what is there afterwards is
    what one successful try had written. An error that no waiting mends (no space, no permission, a
    folder in place of a file) is not tried again.

    Parameters
    ----------
    store : zarr.abc.store.Store
        The store.
    name : str, optional
        What messages call it; default: the store's text.
    delays : sequence of float, default `DELAYS`
        Seconds to wait before each further try.

    Raises
    ------
    StoreError
        From each operation: where it failed for good, or once more than there are delays.
    """

    def __init__(
        self, store: Store, *, name: str | None = None, delays: Sequence[float] = DELAYS
    ) -> None:
        super().__init__(store)
        self.name = str(store) if name is None else name
        self.delays = tuple(delays)

    def __repr__(self) -> str:
        return f"RetryingStore({self._store!r})"

    def __str__(self) -> str:
        return str(self._store)

    def _with_store(self, store: Store) -> RetryingStore:
        return type(self)(store, name=self.name, delays=self.delays)

    async def _try(self, operation: Callable[[], Awaitable[_T]]) -> _T:
        for tried, delay in enumerate((*self.delays, None), 1):
            try:
                return await operation()
            except FileNotFoundError:
                # what it means is for whoever asked: a key that is absent is no failure
                raise
            except Exception as error:
                if not is_passing(error):
                    if isinstance(error, StoreError) or not _of_place(error):
                        raise
                    raise store_error(self.name, error) from error
                if delay is None:
                    raise store_error(self.name, error, tried) from error
            await asyncio.sleep(delay)
        raise AssertionError("unreachable")

    async def _open(self) -> None:
        await self._try(self._store._ensure_open)

    async def _ensure_open(self) -> None:
        await self._try(self._store._ensure_open)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Value of a key, or the part of it; None where there is none."""
        return await self._try(lambda: self._store.get(key, prototype, byte_range))

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Parts of values, as `get`."""
        asked = list(key_ranges)
        return await self._try(lambda: self._store.get_partial_values(prototype, asked))

    async def _get_many(
        self, requests: Iterable[tuple[str, BufferPrototype, ByteRequest | None]]
    ) -> AsyncGenerator[tuple[str, Buffer | None], None]:
        # one by one: of several that the store gets at once it could not be said which failed
        for key, prototype, byte_range in requests:
            yield key, await self.get(key, prototype, byte_range)

    async def exists(self, key: str) -> bool:
        """Whether a key has a value."""
        return await self._try(lambda: self._store.exists(key))

    async def getsize(self, key: str) -> int:
        """Bytes of a key's value."""
        return await self._try(lambda: self._store.getsize(key))

    async def set(self, key: str, value: Buffer) -> None:
        """Store a value under a key."""
        await self._try(lambda: self._store.set(key, value))

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Store a value under a key that has none."""
        await self._try(lambda: self._store.set_if_not_exists(key, value))

    async def _set_many(self, values: Iterable[tuple[str, Buffer]]) -> None:
        await asyncio.gather(*(self.set(key, value) for key, value in values))

    async def delete(self, key: str) -> None:
        """Remove a key; one that has no value is no error."""
        await self._try(lambda: self._store.delete(key))

    async def delete_dir(self, prefix: str) -> None:
        """Remove all keys below a prefix."""
        await self._try(lambda: self._store.delete_dir(prefix))

    async def clear(self) -> None:
        """Remove all keys."""
        await self._try(self._store.clear)

    async def is_empty(self, prefix: str) -> bool:
        """Whether there is no key below a prefix."""
        return await self._try(lambda: self._store.is_empty(prefix))

    async def list(self) -> AsyncIterator[str]:
        """All keys."""
        for key in await self._try(lambda: _all(self._store.list())):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """All keys below a prefix."""
        for key in await self._try(lambda: _all(self._store.list_prefix(prefix))):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names right below a prefix."""
        for key in await self._try(lambda: _all(self._store.list_dir(prefix))):
            yield key


async def _all(names: AsyncIterator[str]) -> tuple[str, ...]:
    """All of a listing: half of one cannot be gone on with after an error."""
    return tuple([name async for name in names])


def as_retrying(store: Store, name: str | None = None, **settings: Any) -> RetryingStore:
    """Wrap a store, unless it tries again by itself."""
    return (
        store if isinstance(store, RetryingStore) else RetryingStore(store, name=name, **settings)
    )
