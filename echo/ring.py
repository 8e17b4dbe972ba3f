"""io_uring(7) without a library: two rings in memory that we share with the kernel.

On one we write what the kernel should do, on the other it writes what came of it.  One system
call, io_uring_enter(2), hands over all that we wrote and sleeps until something is done.
"""

import ctypes
import mmap
import os
import struct

from echo.syscall import address_of, call

SETUP, ENTER, ENTRIES = 425, 426, 0x10000000  # <asm/unistd.h>, <linux/io_uring.h>
POLL, ACCEPT, CANCEL, SEND, RECV = 6, 13, 14, 26, 27  # operations
LINK, MULTISHOT = 4, 2  # in an entry: the next one waits for this one; many results
GETEVENTS, MORE = 1, 2  # flags of the call, and of a result that is not the last
ENTRY, RESULT = struct.Struct("<BBHiQQIIiI24x"), struct.Struct("<iIiI")
SIZE = 256  # entries that fit before we enter the kernel


class Ring:
    """Operations on descriptors: on each descriptor, at most one of each kind at a time."""

    def __init__(self):
        self.fd = -1
        self.lent = {}  # (operation, fd) -> memory that the kernel may use until it is done
        params = ctypes.create_string_buffer(120)
        self.fd = call(SETUP, SIZE, ctypes.addressof(params), 0, 0, 0, 0)
        sq, cq = struct.unpack_from("8I", params, 40), struct.unpack_from("8I", params, 80)
        self.rings = mmap.mmap(self.fd, max(sq[6] + 4 * SIZE, cq[5] + 32 * SIZE))
        self.entries = mmap.mmap(self.fd, 64 * SIZE, offset=ENTRIES)
        struct.pack_into(f"{SIZE}I", self.rings, sq[6], *range(SIZE))  # each in its place
        word = ctypes.c_uint32.from_buffer
        self.tail, self.head = word(self.rings, sq[1]), word(self.rings, cq[0])
        self.end, self.results = word(self.rings, cq[1]), cq[5]
        self.written = 0  # entries that the kernel has not taken yet

    def submit(self, operation, fd, memory=b"", flags=0, address=0, how=0, shots=0):
        """Write an entry; memory: bytes or a ctypes buffer to fill; how: flags; shots: ioprio."""
        while self.written == SIZE:
            self.enter(0)
        if memory:
            address = address_of(memory)
        entry = operation, how, shots, fd, 0, address, len(memory), flags, fd, operation
        ENTRY.pack_into(self.entries, ENTRY.size * (self.tail.value % SIZE), *entry)
        self.lent[operation, fd] = memory
        self.tail.value += 1
        self.written += 1

    def enter(self, wait):
        """Hand over the entries, and sleep until `wait` operations are done."""
        self.written -= call(ENTER, self.fd, self.written, wait, GETEVENTS, 0, 0)

    def wait(self):
        """Sleep until something is done; yield (operation, fd, result, flags) of each."""
        self.enter(1)
        while self.head.value != self.end.value:
            at = self.results + RESULT.size * (self.head.value % (2 * SIZE))
            fd, operation, result, flags = RESULT.unpack_from(self.rings, at)
            self.head.value += 1
            if not flags & MORE:  # that was its last result
                self.lent.pop((operation, fd), None)
            yield operation, fd, result, flags

    def close(self):
        """Cancel what is not done: until then the kernel may write to the memory we lent it."""
        for operation, fd in list(self.lent):
            self.submit(CANCEL, fd, address=operation << 32 | fd)
        while self.lent:
            list(self.wait())
        fd, self.fd = self.fd, -1  # if called again, the number may be another file's
        if fd >= 0:
            os.close(fd)

    __del__ = close
