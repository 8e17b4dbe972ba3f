"""io_uring(7) without a library: two rings in memory that we share with the kernel.

On one we write what is to be done, on the other the kernel writes what has come of it.  One
call, io_uring_enter(2), hands over all that we have written and sleeps until something is done.
"""

import ctypes
import errno
import mmap
import os
import struct

SETUP, ENTER = 425, 426  # system calls; these numbers and layouts are in <linux/io_uring.h>
POLL, CANCEL, SEND, RECV = 6, 14, 26, 27  # operations
GETEVENTS, ENTRIES = 1, 0x10000000
SIZE = 256  # operations that can be written down before we enter the kernel
REFUSALS = {
    errno.ENOSYS: "no io_uring here: the kernel has none",
    errno.EPERM: "no io_uring here: a seccomp filter or kernel.io_uring_disabled forbids it",
    errno.ENOMEM: "no io_uring here: the limit of locked memory (ulimit -l) forbids it",
}
libc = ctypes.CDLL(None, use_errno=True)


def call(*numbers):
    result, error = libc.syscall(*map(ctypes.c_long, numbers)), ctypes.get_errno()
    if result < 0 and error != errno.EINTR:
        raise OSError(error, REFUSALS.get(error, os.strerror(error)))
    return max(result, 0)


class Ring:
    """Operations on descriptors, one at a time on each."""

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.fd = call(SETUP, SIZE, ctypes.addressof(params))
        sq, cq = struct.unpack_from("8I", params, 40), struct.unpack_from("8I", params, 80)
        self.rings = mmap.mmap(self.fd, max(sq[6] + 4 * SIZE, cq[5] + 32 * SIZE))
        self.entries = mmap.mmap(self.fd, 64 * SIZE, offset=ENTRIES)
        struct.pack_into(f"{SIZE}I", self.rings, sq[6], *range(SIZE))  # each in its place
        word = ctypes.c_uint32.from_buffer
        self.tail, self.head = word(self.rings, sq[1]), word(self.rings, cq[0])
        self.end, self.results = word(self.rings, cq[1]), cq[5]
        self.written = 0  # operations that the kernel has not taken yet
        self.lent = {}  # fd -> memory that is the kernel's until the operation is done

    def submit(self, operation, fd, memory=b"", flags=0, address=0):
        """Write an operation down; `memory`: bytes, or a buffer of ctypes to be filled."""
        while self.written == SIZE:
            self.enter(0)
        if memory:
            address = ctypes.cast(memory, ctypes.c_void_p).value
        entry = operation, 0, 0, fd, 0, address, len(memory), flags, fd
        struct.pack_into("<BBHiQQIIq", self.entries, 64 * (self.tail.value % SIZE), *entry)
        self.lent[fd] = memory
        self.tail.value += 1
        self.written += 1

    def enter(self, wait):
        """Hand over what is written down, and sleep until `wait` operations are done."""
        self.written -= call(ENTER, self.fd, self.written, wait, GETEVENTS, 0, 0)

    def wait(self):
        """Sleep until something is done; yield (fd, result), -errno for what has failed."""
        self.enter(1)
        while self.head.value != self.end.value:
            at = self.results + 16 * (self.head.value % (2 * SIZE))
            fd, result = struct.unpack_from("<qi", self.rings, at)
            self.head.value += 1
            self.lent.pop(fd, None)
            yield fd, result

    def close(self):
        """Take back what is not done: until then the kernel may write to that memory."""
        for fd in list(self.lent):
            self.submit(CANCEL, -1, address=fd)
        while self.lent:
            list(self.wait())
        os.close(self.fd)
