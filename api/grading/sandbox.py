"""Where students' programs run: a process of its own with as little as the machine lets us leave it.

    bubblewrap   namespaces around the process: it sees the interpreter and its own folder, and no network
    process      the process gives up what it can by itself, see ``confine``
    none         only time is limited, for programs that are trusted

What a sandbox could not stop is said in the report.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Any

from api.grading.confine import MEASURES

KINDS = ("bubblewrap", "process", "none")
PRINTED = 4_000
"""Characters of what a program prints that are kept."""
LONGEST = 64 * 1024 * 1024
"""Bytes of one answer that are read."""
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/localtime")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")
_SAID = {
    "memory": "using up the memory",
    "time": "using up the processor",
    "files": "writing large files",
    "network": "reaching the network",
    "reading": "reading the files of whoever runs the grader, the assignment among them",
    "writing": "writing or deleting the files of whoever runs the grader",
    "programs": "starting other programs and processes, or ending them",
}
_AS_NOBODY = {
    _SAID["reading"]: "reading files that everybody may read",
    _SAID["writing"]: "writing where everybody may write",
}
ADVICE = (
    "no sandbox works here that keeps a program from files and network; run the grader in a container "
    "(docker run --rm --network none …), install bubblewrap, or, for programs that you trust, say --sandbox none"
)


class NoSandbox(Exception):
    """What was asked for does not work here; ``str()`` says what would do."""


class Stopped(Exception):
    """The program's process has ended or was ended; ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``seconds`` of one call and, of processor time, of all together ten times that; ``memory`` in bytes."""

    seconds: float = 10.0
    memory: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A kind that works here, and what it keeps a program from (``measures`` of ``confine``)."""

    kind: str
    measures: tuple[str, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """As a report names it."""
        cannot = [said for name, said in _SAID.items() if name not in self.measures]
        if "user" in self.measures:
            cannot = [_AS_NOBODY.get(said, said) for said in cannot]
        return {"kind": self.kind, "cannot_stop": cannot}

    @property
    def sentence(self) -> str:
        """In words."""
        cannot = self.document["cannot_stop"]
        return f"sandbox: {self.kind}" + (
            f"; it could not have stopped a program from {', '.join(cannot)}" if cannot else ""
        )


def chosen(kind: str, limits: Limits, without: Sequence[str] = ()) -> Sandbox:
    """The sandbox of a kind, or with ``auto`` the strongest that works; tried on a program that does nothing.
    ``without`` leaves out measures, as if the machine did not have them.

    Raises ``NoSandbox`` where it does not work, or where nothing does.
    """
    if kind == "none":
        return Sandbox("none", ("time",))
    tried: list[str] = []
    for one in ("bubblewrap", "process") if kind == "auto" else (kind,):
        try:
            with Program(one, limits, without=without) as program:
                found = Sandbox(one, tuple(program.measures))
        except (NoSandbox, Stopped, OSError) as reason:
            tried.append(f"{one}: {reason}")
            continue
        held = set(found.measures)
        if kind != "auto" or ("network" in held and (held & {"writing", "user"} or in_container())):
            return found
        tried.append(f"{one}: too weak")
    raise NoSandbox(ADVICE if kind == "auto" else "; ".join(tried))


def in_container() -> bool:
    """Whether all this runs in a container already, which keeps what is outside safe."""
    if any(os.path.exists(path) for path in ("/.dockerenv", "/run/.containerenv")):
        return True
    with contextlib.suppress(OSError):
        text = Path("/proc/1/cgroup").read_text("utf-8", "replace")
        return any(word in text for word in ("docker", "kubepods", "containerd", "libpod", "lxc"))
    return False


class Program:
    """A student's program in its process; to be used in a ``with`` statement, which ends it."""

    def __init__(
        self, kind: str, limits: Limits, files: Mapping[str, bytes] | None = None, without: Sequence[str] = ()
    ) -> None:
        self.kind = kind
        self.without = list(without)
        self.limits = limits
        self.measures: list[str] = []
        self.printed = ""
        self._files = files or {}
        self._folder = Path(tempfile.mkdtemp(prefix="stepgrad-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._requests = self._answers = -1
        self._left = b""

    @property
    def work(self) -> Path:
        """The folder with the program's own files."""
        return self._folder / "work"

    def __enter__(self) -> Program:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _start(self) -> None:
        for name in ("program.py", "confine.py"):
            (self._folder / name).write_bytes(resources.files("api.grading").joinpath(name).read_bytes())
        work = self._folder / "work"
        for name, content in {"": b"", **self._files}.items():
            there = work / name
            there.parent.mkdir(parents=True, exist_ok=True)
            if name:
                there.write_bytes(content)
        work.mkdir(exist_ok=True)
        for path in (self._folder, *self._folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        inner, self._requests = os.pipe()
        self._answers, outer = os.pipe()
        try:
            command = self._command(inner, outer)
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(inner, outer),
                cwd="/" if self.kind == "bubblewrap" else work,
                env=_environment(),
                start_new_session=True,
            )
        finally:
            os.close(inner)
            os.close(outer)
        self._reader = threading.Thread(target=self._drain, args=(self._process,), daemon=True)
        self._reader.start()
        self._confine()

    def _command(self, inner: int, outer: int) -> list[str]:
        python = [sys.executable, "-I", "-B", str(self._folder / "program.py"), str(inner), str(outer)]
        if self.kind != "bubblewrap":
            return python
        found = shutil.which("bwrap")
        if found is None:
            raise NoSandbox("bubblewrap (bwrap) is not installed")
        command = [found, "--unshare-all", "--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"]
        command += ["--tmpfs", "/tmp", "--tmpfs", "/home", "--tmpfs", "/root"]
        for path in (*_SYSTEM, *_interpreter(), str(self._folder)):
            if os.path.islink(path):
                command += ["--symlink", os.readlink(path), path]
            elif os.path.exists(path):
                command += ["--ro-bind", path, path]
        return [*command, "--chdir", str(self._folder / "work"), *python]

    def _confine(self) -> None:
        """The first request: give up what can be given up."""
        if self.kind == "none":
            self.measures = ["time"]
            return
        limits = {"memory": self.limits.memory, "seconds": 10 * self.limits.seconds + 20}
        readable = [*_SYSTEM, *_DEVICES, *_interpreter(), str(self._folder)]
        request = {"do": "confine", "limits": limits, "readable": readable, "without": self.without}
        found = self.ask({**request, "inside": self.kind == "bubblewrap"}, seconds=60.0)
        self.measures = [name for name in MEASURES if name in found["measures"]]

    def ask(self, request: Mapping[str, Any], seconds: float | None = None) -> dict[str, Any]:
        """One request and its answer; raises ``Stopped`` if none comes in time, or ever."""
        ends = time.monotonic() + (self.limits.seconds if seconds is None else seconds)
        self._send(json.dumps(request).encode() + b"\n", ends)
        line = self._line(ends)
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self._stopped("it wrote into the grader's own channel")
        return found

    def _send(self, text: bytes, ends: float) -> None:
        os.set_blocking(self._requests, False)
        while text:
            _, ready, _ = select.select([], [self._requests], [], max(0.0, ends - time.monotonic()))
            if not ready:
                raise self._too_long()
            try:
                text = text[os.write(self._requests, text) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._gone() from None

    def _line(self, ends: float) -> bytes:
        while b"\n" not in self._left:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, ends - time.monotonic()))
            if not ready:
                raise self._too_long()
            more = os.read(self._answers, 1 << 20)
            if not more:
                raise self._gone()
            self._left += more
            if len(self._left) > LONGEST:
                raise self._stopped("its answer is too long")
        line, _, self._left = self._left.partition(b"\n")
        return line

    def _too_long(self) -> Stopped:
        return self._stopped(f"it took longer than {self.limits.seconds:g} seconds")

    def _gone(self) -> Stopped:
        """Why the process has ended by itself."""
        status = 0
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(5)
        if 0 <= status < 128:
            return self._stopped(f"the program ended by itself, with status {status}")
        number = -status if status < 0 else status - 128
        name = next((one.name for one in signal.Signals if one == number), f"status {status}")
        why = {"SIGXCPU": " (processor time)", "SIGKILL": " (memory, or the sandbox)", "SIGSYS": " (the sandbox)"}
        return self._stopped(f"the program was ended by {name}{why.get(name, '')}")

    def _stopped(self, reason: str) -> Stopped:
        self.close()
        return Stopped(reason)

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        """Keep the beginning of what the program prints, and let go of the rest."""
        assert process.stdout is not None
        with contextlib.suppress(OSError, ValueError), process.stdout:
            while text := os.read(process.stdout.fileno(), 65536):
                if len(self.printed) < PRINTED:
                    self.printed = (self.printed + text.decode("utf-8", "replace"))[:PRINTED]

    def close(self) -> None:
        """End the process and everything that it started in its session, and take its folder away."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join(2.0)
        for number in (self._requests, self._answers):
            if number >= 0:
                os.close(number)
        self._requests = self._answers = -1
        shutil.rmtree(self._folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    one = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")}
    return {
        **one,
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "agg",
        "HOME": "/nowhere",
    }


def _interpreter() -> Sequence[str]:
    """The folders that the interpreter and its packages are in."""
    folders = {sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))}
    folders |= {path for path in (*site.getsitepackages(), sysconfig.get_path("stdlib")) if path}
    return sorted(path for path in folders if path not in ("/", "/usr", ""))


@dataclass(slots=True)
class Clock:
    """How long the programs of one run have taken."""

    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began
