"""What takes over two seconds at a terminal says so, on standard error: what it is, and how far it has come."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TextIO

PATIENCE = 2.0
"""Seconds before anything is said."""
EVERY = 0.5


class Telling:
    """``with Telling("copying the database") as telling``: set ``share`` from 0 to 1 where it is known."""

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        self.what = what
        self.share: float | None = None
        self._stream = stream or sys.stderr
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def at(self, share: float) -> None:
        """So much is done."""
        self.share = share

    def __enter__(self) -> Telling:
        if self._stream.isatty():
            self._thread = threading.Thread(target=self._tell, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _tell(self) -> None:
        began, told = time.monotonic(), False
        while not self._ended.wait(PATIENCE if not told else EVERY):
            far = f"{time.monotonic() - began:.0f} s" if self.share is None else f"{self.share:.0%}"
            self._stream.write(f"\r\x1b[Kstepgrad: {self.what}: {far}")
            self._stream.flush()
            told = True
        if told:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
