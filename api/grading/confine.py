"""What a process gives up before it runs a student's program. Standard library only: it is copied beside the program.

Each measure is tried by itself, and ``confine`` tells which of them hold here:

    privileges   no new ones
    memory time files processes   limits of the kernel (setrlimit)
    network      a network of its own without any interface, and no sockets
    reading      only the interpreter, its packages and the program's own folder (Landlock)
    writing      nowhere (Landlock)
    user         where there is no Landlock and this is root: the rights of nobody
    programs     no other program is started, no process made, none signalled (seccomp, Landlock)
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys

MEASURES = ("privileges", "memory", "time", "files", "processes", "network", "reading", "writing", "user", "programs")

_CLONE_NEWNET, _CLONE_NEWUSER, _CLONE_NEWIPC = 0x40000000, 0x10000000, 0x08000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 38, 4, 22
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR, _EXECUTE = 1 << 2, 1 << 3, 1 << 0
_NOBODY = 65534

# What a program that works out numbers never needs, by machine: made from the kernel's tables of system calls.
_DENIED = {
    "x86_64": (
        41, 42, 43, 44, 45, 46, 47, 49, 50, 53, 57, 58, 59, 62, 101, 155, 157, 161, 165, 166, 167, 168, 169, 175, 176,
        200, 234, 246, 248, 249, 250, 256, 272, 279, 288, 298, 303, 304, 307, 308, 310, 311, 313, 317, 320, 321, 322,
        160, 302, 323, 425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 438, 440, 442,
    ),
    "aarch64": (
        39, 40, 41, 51, 97, 164, 261, 104, 105, 106, 117, 129, 130, 131, 142, 198, 199, 200, 201, 202, 203, 206, 207,
        211, 212, 217, 218, 219, 221, 238, 239, 241, 242, 264, 265, 268, 269, 270, 271, 273, 277, 280, 281, 282, 294,
        425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 438, 440, 442,
    ),
}  # fmt: skip
_CLONE = {"x86_64": (56, 435), "aarch64": (220, 435)}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE_THREAD = 0x10000


def confine(
    limits: dict[str, float], readable: list[str], *, inside: bool = False, without: list[str] | None = None
) -> list[str]:
    """Give up what can be given up; the measures that hold. ``inside``: a sandbox around this process already keeps
    files and network away. ``without`` leaves out some of landlock, namespaces, seccomp and user."""
    left_out = without or []
    locked = inside or ("landlock" not in left_out and _landlock_version() > 0)
    # first, since a user namespace knows no other user
    held = ["user"] if not locked and "user" not in left_out and _as_nobody(readable) else []
    held += ["privileges"] if _no_new_privileges() else []
    held += ["network"] if inside or ("namespaces" not in left_out and _own_network()) else []
    held += _limit(limits)
    if inside or (locked and _landlock(readable)):
        held += ["reading", "writing"]
    if "seccomp" not in left_out and _seccomp():
        held += ["programs"] if "network" in held else ["programs", "network"]
    return held


def _landlock_version() -> int:
    """The version of Landlock that this kernel has; 0 or less for none."""
    if not sys.platform.startswith("linux"):
        return 0
    version: int = _libc().syscall(_LANDLOCK_CREATE, None, 0, 1)
    return version


def _as_nobody(readable: list[str]) -> bool:
    """Become nobody, if this is root and nobody can read the interpreter and the program."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    for path in readable:
        while os.path.exists(path) and path != "/":
            if not os.stat(path).st_mode & (0o001 if os.path.isdir(path) else 0o004):
                return False
            path = os.path.dirname(path)
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError:
        return False
    return True


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _no_new_privileges() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    libc = _libc()
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return bool(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def _own_network() -> bool:
    """A network namespace of its own, which has no interface that is up; with it goes what root could do here."""
    if not sys.platform.startswith("linux"):
        return False
    flags = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC
    return bool(_libc().unshare(flags) == 0)


def _limit(limits: dict[str, float]) -> list[str]:
    try:
        import resource
    except ImportError:
        return []
    megabyte = 1024 * 1024
    table = (
        ("memory", resource.RLIMIT_AS, int(limits["memory"])),
        ("time", resource.RLIMIT_CPU, max(1, int(limits["seconds"]))),
        ("files", resource.RLIMIT_FSIZE, 16 * megabyte),
        ("files", resource.RLIMIT_NOFILE, 256),
        ("processes", getattr(resource, "RLIMIT_NPROC", None), 512),
        ("files", resource.RLIMIT_CORE, 0),
    )
    held: list[str] = []
    for name, which, most in table:
        if which is None:
            continue
        hard = resource.getrlimit(which)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(which, (value, value))
        except (ValueError, OSError):
            continue
        if name not in held:
            held.append(name)
    return held


def _landlock(readable: list[str]) -> bool:
    """Files: reading below ``readable`` only, writing nowhere; signals and sockets only within this process."""
    libc, version = _libc(), _landlock_version()
    files = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    net, scope = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = libc.syscall(_LANDLOCK_CREATE, struct.pack("QQQ", files, net, scope)[:size], size, 0)
    if rules < 0:
        return False
    try:
        for path in readable:
            _allow(libc, rules, path)
        return bool(libc.syscall(_LANDLOCK_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str) -> None:
    with contextlib.suppress(OSError):
        there = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            access = _READ_FILE | _READ_DIR | _EXECUTE if os.path.isdir(path) else _READ_FILE
            libc.syscall(_LANDLOCK_ADD, rules, 1, struct.pack("=Qi", access, there), 0)
        finally:
            os.close(there)


def _seccomp() -> bool:
    """A filter for system calls: no other process or program, no sockets, no signals to others, no mounts."""
    machine = platform.machine()
    if not sys.platform.startswith("linux") or machine not in _DENIED:
        return False
    program = _filter(machine)
    code = b"".join(struct.pack("HBBI", *one) for one in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    argument = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
    return bool(_libc().prctl(_PR_SET_SECCOMP, 2, argument, 0, 0) == 0)


def _filter(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter as instructions of the classic packet filter: (code, jump if true, jump if false, operand)."""
    load, equal, set_, answer, larger = 0x20, 0x15, 0x45, 0x06, 0x35
    allow, kill, refuse, absent = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
    clone, clone3 = _CLONE[machine]
    program = [
        (load, 0, 0, 4),
        (equal, 1, 0, _ARCHITECTURE[machine]),
        (answer, 0, 0, kill),
        (load, 0, 0, 0),
        (larger, 0, 1, 0x40000000),  # the calls of another interface
        (answer, 0, 0, kill),
        (equal, 0, 1, clone3),
        (answer, 0, 0, absent),  # the library then asks for clone, whose flags can be looked at
        (equal, 0, 4, clone),
        (load, 0, 0, 16),
        (set_, 0, 1, _CLONE_THREAD),
        (answer, 0, 0, allow),
        (answer, 0, 0, refuse),
    ]
    for number in _DENIED[machine]:
        program += [(equal, 0, 1, number), (answer, 0, 0, refuse)]
    return [*program, (answer, 0, 0, allow)]
