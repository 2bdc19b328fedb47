"""Processes for long runs, so that pure-Python training never holds up other requests."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """A pool of processes, started with the first call: a service that never runs long keeps none."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    async def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """``function(*args, **kwargs)`` in a process of the pool; all of it must be picklable.

        A pool that lost a process (killed for its memory, say) is replaced, and the call made once more.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._started(), _call, function, args, kwargs)
        except BrokenProcessPool:
            self.close()
            return await loop.run_in_executor(self._started(), _call, function, args, kwargs)

    def close(self) -> None:
        """End the processes without waiting for what they do."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # A fork of this process would inherit its threads' locks and the database's connection.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.count, mp_context=context, initializer=_prepare)
        return self._pool


def _prepare() -> None:
    """In a new process: leave Ctrl-C to the parent, and end when it is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(0)


def _call(function: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]) -> T:
    return function(*args, **kwargs)
