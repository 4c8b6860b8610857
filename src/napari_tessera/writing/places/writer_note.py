"""Who writes to a place, as it stands in its lock."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import psutil

_SAME_START_SECONDS = 2.0


@dataclass(frozen=True)
class WriterNote:
    """A process that writes, and when it last said so.

    Parameters
    ----------
    host : str
        Name of its computer.
    pid : int
        Its number there.
    born : float
        When the process was started, seconds since 1970: numbers are used again.
    token : str
        Tells writers of one process apart.
    time : float
        When this was written, seconds since 1970.
    """

    host: str
    pid: int
    born: float
    token: str
    time: float

    @classmethod
    def of_this_process(cls, token: str, time: float) -> WriterNote:
        """Note of the process that runs this."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, psutil.Process(pid).create_time(), token, time)

    @classmethod
    def from_dict(cls, found: Any) -> WriterNote:
        """Read a note; KeyError, TypeError or ValueError where this is none."""
        return cls(
            str(found["host"]),
            int(found["pid"]),
            float(found["born"]),
            str(found["token"]),
            float(found["time"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """The note as JSON takes it."""
        return asdict(self)

    @property
    def is_of_this_process(self) -> bool:
        """Whether the process is this one."""
        return self.pid == os.getpid() and self.host == socket.gethostname() and not self.is_gone

    @property
    def is_gone(self) -> bool:
        """Whether the process is known to have ended: one of this computer that runs no more."""
        if self.host != socket.gethostname():
            return False
        try:
            born = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False
        return abs(born - self.born) > _SAME_START_SECONDS

    def __str__(self) -> str:
        if self.host == socket.gethostname():
            if self.pid == os.getpid():
                return "another run of this program"
            return f"another process (pid {self.pid})"
        when = datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"a process on {self.host} (pid {self.pid}, last seen {when})"
