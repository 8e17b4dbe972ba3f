"""A read by the C library's POSIX AIO (aio(7))."""

import ctypes
import hashlib
import socket
import struct
from typing import Any


def posix_aio(conn: socket.socket) -> bytes:
    """Read one byte with aio_read(3), and do something else until it is there."""
    memory = ctypes.create_string_buffer(1)
    aio_read(conn.fileno(), memory)
    while not memory.raw[0]:
        hashlib.sha256(bytes(1_000_000))
    return memory.raw


def aio_read(fd: int, memory: Any) -> None:
    """Begin to read from `fd` into a buffer of ctypes.

    struct aiocb as in <aio.h> of 64-bit glibc: aio_fildes, aio_buf, aio_nbytes and, at 44,
    sigev_notify, where 1 is SIGEV_NONE.  Before glibc 2.34 the function was in librt.
    """
    request = ctypes.create_string_buffer(256)
    struct.pack_into("i12xQQ", request, 0, fd, ctypes.addressof(memory), len(memory))
    struct.pack_into("i", request, 44, 1)
    _lent.append((request, memory))
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "aio_read"):
        libc = ctypes.CDLL("librt.so.1", use_errno=True)
    if libc.aio_read(request):
        raise OSError(ctypes.get_errno(), "aio_read() failed")


_lent: list[Any] = []  # the C library may write to these as long as it lives
