"""Buffers for all clients: the kernel takes one when bytes have arrived, and not before.

They lie one after another in one piece of memory.  A third ring, the table, lists the free
ones.  We put a buffer there to lend it to the kernel, and the flags of a result say which one
the kernel has taken and filled.
"""

import ctypes
import mmap
import struct

from echo.ring import RECV
from echo.syscall import address_of, call

REGISTER, TABLE = 427, 22  # io_uring_register(2), IORING_REGISTER_PBUF_RING
SELECT, TAKEN = 32, 1  # flags: in an entry, take a buffer; in a result, one was taken
COUNT, SIZE = 32, 32 * 1024  # how many (a power of two), and the bytes of each
FREE = struct.Struct("<QIH")  # struct io_uring_buf: address, length, number


class Pool:
    def __init__(self, ring):
        self.ring, start = ring, ctypes.c_char.from_buffer
        self.memory, self.table = mmap.mmap(-1, COUNT * SIZE), mmap.mmap(-1, 16 * COUNT)
        self.address = ctypes.addressof(start(self.memory))
        self.tail = ctypes.c_uint16.from_buffer(self.table, 14)
        order = struct.pack("QI28x", ctypes.addressof(start(self.table)), COUNT)
        call(REGISTER, ring.fd, TABLE, address_of(order), 1, 0, 0)
        for number in range(COUNT):
            self.give(number)

    def give(self, number):
        """Lend this buffer to the kernel."""
        free = self.address + number * SIZE, SIZE, number
        FREE.pack_into(self.table, 16 * (self.tail.value % COUNT), *free)
        self.tail.value += 1

    def receive(self, fd, shots=0):
        """Submit a recv() into whichever buffer is free when bytes arrive."""
        self.ring.submit(RECV, fd, how=SELECT, shots=shots)
        self.ring.lent[RECV, fd] = self.memory

    def take(self, length, flags):
        """The bytes of a result; their buffer is free again."""
        if not flags & TAKEN:  # at the end of input there is nothing to take
            return b""
        number = flags >> 16
        data = self.memory[number * SIZE : number * SIZE + length]
        self.give(number)
        return data
