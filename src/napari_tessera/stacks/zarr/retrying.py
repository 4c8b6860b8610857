"""A store that asks again where a request failed in passing."""

from __future__ import annotations

import errno
from abc import abstractmethod
from asyncio import gather, sleep
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Self, TypeVar

from zarr.abc.store import ByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

DELAYS = (0.5, 2.0, 8.0)
"""Seconds to wait before the second, third and fourth try."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of a place that is full."""

READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""Errors of a place that may not be written to."""

FOR_GOOD = (
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
"""Errors that no waiting mends."""

CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (FSSPEC_S3_ANON=true reads a "
    "public bucket without)"
)
"""The way out where an object store is not told who asks."""

_NETWORK = frozenset(
    {
        *("aiobotocore", "aiohttp", "asyncio", "azure", "botocore", "gcsfs", "google", "http"),
        *("httpcore", "httpx", "paramiko", "requests", "ssl", "urllib3"),
    }
)
"""Packages whose errors are of the network, whatever they are derived from."""

_NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"})
"""Errors of botocore's, of what it looks up before it asks a server."""

_PASSING_STATUS = frozenset({408, 425, 429})
"""What a web server answers that is asked too early, too late or too often."""

_T = TypeVar("_T")


class PlaceError(OSError):
    """A place did not take or give what it should: asked long enough, and told in one line."""


def is_passing(error: BaseException) -> bool:
    """Whether an error may be gone at the next try: of the network, or of a disk for a moment."""
    if isinstance(error, OSError):
        if isinstance(error, (*FOR_GOOD, PlaceError)):
            return False
        if error.errno in FULL | READ_ONLY | {errno.ENOTDIR}:
            return False
    elif not of_network(error) or lacks_credentials(error):
        return False
    status = status_of(error)
    return status is None or status in _PASSING_STATUS or (status >= 500 and status != 501)


def of_network(error: BaseException) -> bool:
    """Whether an error is of what reads over a network."""
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, EOFError) or (isinstance(error, Exception) and package in _NETWORK)


def _of_place(error: Exception) -> bool:
    return isinstance(error, OSError) or of_network(error)


def lacks_credentials(error: BaseException) -> bool:
    """Whether nobody said who asks, so that no server was asked."""
    return of_network(error) and type(error).__name__ in _NO_CREDENTIALS


def status_of(error: BaseException) -> int | None:
    """What a web server answered."""
    status = getattr(error, "status", None)
    return status if isinstance(status, int) and status >= 400 else None


class _ShortAnswerError(OSError):
    """Fewer bytes came than were asked for."""

    def __init__(self, value: Buffer) -> None:
        super().__init__(errno.EIO, "fewer bytes came than were asked for")
        self.value = value


class PatientStore(WrapperStore[Store]):
    """Hands everything on to a store, and tries again what failed in passing.

    A value is handed on whole each time, under the same key, so that what is there afterwards is
    what one successful try had written. An error that no waiting mends (no space, no permission, a
    folder in place of a file) is not tried again. A part of a value that comes too short, as where
    a connection ends early, is asked for again as well, and given as it is if it stays short.

    Parameters
    ----------
    store : zarr.abc.store.Store
        The store.
    name : str, optional
        What messages call it; default: the store's text.
    delays : sequence of float, optional
        Seconds to wait before each further try; default: `DELAYS`.
    """

    def __init__(
        self, store: Store, *, name: str | None = None, delays: Sequence[float] | None = None
    ) -> None:
        super().__init__(store)
        self.name = str(store) if name is None else name
        self.delays = tuple(DELAYS if delays is None else delays)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._store!r})"

    def __str__(self) -> str:
        return str(self._store)

    def _with_store(self, store: Store) -> Self:
        return type(self)(store, name=self.name, delays=self.delays)

    @abstractmethod
    def _told(self, error: Exception, tries: int) -> PlaceError:
        """What is raised instead of an error of the place, after so many tries."""

    async def _try(self, operation: Callable[[], Awaitable[_T]]) -> _T:
        for tried, delay in enumerate((*self.delays, None), 1):
            try:
                return await operation()
            except FileNotFoundError:
                # what it means is for whoever asked: a key that is absent is no failure
                raise
            except Exception as error:
                if isinstance(error, PlaceError) or not _of_place(error):
                    raise
                if delay is None or not is_passing(error):
                    raise self._told(error, tried) from error
            await sleep(delay)
        raise AssertionError("unreachable")

    async def _open(self) -> None:
        await self._try(self._store._ensure_open)

    async def _ensure_open(self) -> None:
        await self._try(self._store._ensure_open)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Value of a key, or the part of it; None where there is none."""

        async def once() -> Buffer | None:
            try:
                value = await self._store.get(key, prototype, byte_range)
            except KeyError as error:
                # so do ZIP files of fsspec, up to 2026.4 at least, say that a key is absent
                if "There is no item named" in str(error):
                    return None
                raise
            if value is not None and len(value) < _wanted(byte_range):
                raise _ShortAnswerError(value)
            return value

        return await self._try_or_short(once)

    async def _try_or_short(self, once: Callable[[], Awaitable[Buffer | None]]) -> Buffer | None:
        """As `_try`; what is still too short at last is given as it is."""
        try:
            return await self._try(once)
        except Exception as error:
            short = error.__cause__
            if isinstance(short, _ShortAnswerError):
                # whoever asked knows what it is part of, and says so
                return short.value
            raise

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
        await gather(*(self.set(key, value) for key, value in values))

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


def _wanted(byte_range: ByteRequest | None) -> int:
    """How many bytes an answer has at least."""
    if isinstance(byte_range, RangeByteRequest):
        return byte_range.end - byte_range.start
    return byte_range.suffix if isinstance(byte_range, SuffixByteRequest) else 0
