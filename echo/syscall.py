"""System calls for which Python has no function, and why io_uring is refused, in words."""

import ctypes
import errno
import os
import sys

REFUSALS = {
    errno.ENOSYS: "no io_uring here: the kernel has none",
    errno.EPERM: "no io_uring here: a seccomp filter or kernel.io_uring_disabled forbids it",
    errno.ENOMEM: "no io_uring here: the limit on locked memory (ulimit -l) is too low",
    errno.EINVAL: "no io_uring here: it needs Linux 5.19 or newer",
}
if sys.platform == "linux":  # elsewhere these calls do not exist
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.argtypes = [ctypes.c_long] * 7
find_bytes = ctypes.pythonapi.PyBytes_AsString
find_bytes.argtypes, find_bytes.restype = [ctypes.py_object], ctypes.c_void_p


def call(*numbers):
    """Make a system call: its number and six arguments."""
    result, error = libc.syscall(*numbers), ctypes.get_errno()
    if result < 0 and error != errno.EINTR:
        raise OSError(error, REFUSALS.get(error, os.strerror(error)))
    return max(result, 0)


def address_of(memory):
    """Where bytes, or a buffer of ctypes, lie in memory."""
    return find_bytes(memory) if isinstance(memory, bytes) else ctypes.addressof(memory)
