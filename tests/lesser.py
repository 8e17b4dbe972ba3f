"""Machines that cannot do all: how to start Python as if it ran on one of them.

Each is the beginning of a command, to be followed by what Python is to run.  It holds for that
program and for all that it starts, a notebook's kernel too, and for nobody else; only another
system is played to one program alone.
"""

import errno
import platform
import sys

CAN_FORBID = platform.machine() in ("x86_64", "aarch64")  # others may have other numbers

BECOME = "\nimport os, sys\nos.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
# What a container's filter does (seccomp(2)): load the number of the call; is it io_uring_setup?
# Then answer with an error, else let it pass.
FILTER = """
import ctypes, struct
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x50000 | {error}), (6, 0, 0, 0x7FFF0000)]
text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code), 32)
program = ctypes.create_string_buffer(struct.pack("H6xQ", 4, ctypes.addressof(text)))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program) == 0, "no seccomp here"
"""
LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
"""
# What Python lacks elsewhere, and what it says of itself there.
NO_EPOLL = """
import select
for name in [name for name in vars(select) if name.lower().startswith("epoll")]:
    delattr(select, name)
"""
NO_PROC = """
import os
for name in "exists", "isdir":
    def look(path, real=getattr(os.path, name)):
        return not str(path).startswith("/proc") and real(path)
    setattr(os.path, name, look)
"""
MACOS = """
import platform, signal, sys
sys.platform = "darwin"
platform.system = lambda: "Darwin"
del signal.sigwaitinfo
"""
WINDOWS = """
import asyncio  # which would look for modules of Windows
import ctypes, platform, select, signal, sys
sys.platform = "win32"
platform.system = lambda: "Windows"
for name in [name for name in vars(select) if name.lower().startswith("poll")]:
    delattr(select, name)
del signal.SIGIO, signal.sigwaitinfo
for name in "fcntl", "resource", "termios":
    sys.modules[name] = None
ctypes.CDLL = None  # CDLL(None) is a TypeError there
"""
SYSTEMS = {
    "macOS": NO_EPOLL + NO_PROC + MACOS,
    "Windows": NO_EPOLL + NO_PROC + WINDOWS,
    "Linux without epoll": NO_EPOLL,
    "Linux without /proc": NO_PROC,
}
RUN = """
import runpy, sys
sys.argv = sys.argv[3:]  # after: python -m
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def without_io_uring(error=errno.EPERM):
    """Where io_uring_setup(2) answers with `error`, as in most containers."""
    return [sys.executable, "-c", FILTER.format(error=error) + BECOME]


def with_few_files(soft=1024, hard=1200):
    """Where so many files may be open, and so many if one asks for more.

    1024 is what most systems give to a program that does not ask.  Of the hard limit just so
    much is left that descriptor 1024, which select() cannot express, can be shown.  With 1024 of
    it that is impossible: there 03, 05, 07 and 09 differ, for they show what becomes of it.
    """
    return [sys.executable, "-c", LIMIT.format(soft=soft, hard=hard) + BECOME]


def without_programs():
    """Where neither Redis nor nginx is installed, nor anything else that is looked for by name."""
    return ["/usr/bin/env", "PATH=/nowhere", sys.executable]


def on(system):
    """One of SYSTEMS, for a module that is run with -m."""
    return [sys.executable, "-c", SYSTEMS[system] + RUN]
