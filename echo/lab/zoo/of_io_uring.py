"""The animals that are made of the io_uring server."""

from echo.lab.zoo.animal import Animal
from echo.lab.zoo.changes import Change

RING = "io_uring_server"
OWN_BUFFERS = (
    Change(RING, "import contextlib\nimport errno\n", "import contextlib\nimport ctypes\n"),
    Change(RING, "from echo.pool import Pool\n", ""),
    Change(
        RING,
        "\n\n\ndef serve(listener):\n",
        "\n\nRECV_SIZE = 64 * 1024  # the size of a buffer\n\n\ndef serve(listener):\n",
    ),
    Change(
        RING,
        "    connections = {}  # fd -> Connection\n",
        "    connections = {}  # fd -> Connection\n"
        "    memory = {}  # fd -> where the kernel puts what arrives\n",
    ),
    Change(RING, "        pool = Pool(ring)\n", ""),
    Change(
        RING,
        "                        pool.receive(conn.fileno())\n",
        "                        memory[conn.fileno()] = ctypes.create_string_buffer(RECV_SIZE)\n"
        "                        ring.submit(RECV, conn.fileno(), memory[conn.fileno()])\n",
    ),
    Change(RING, "operation, fd, result, flags in", "operation, fd, result, _ in"),
    Change(RING, "conn.received(pool.take(result, flags))", "conn.received(memory[fd][:result])"),
    Change(
        RING,
        "elif result != -errno.ENOBUFS:  # a reset: there",
        "else:  # -ECONNRESET: there",
    ),
    Change(
        RING,
        "                    pool.receive(fd)\n",
        "                    ring.submit(RECV, fd, memory[fd])\n",
    ),
    Change(RING, "del connections[fd]\n", "del connections[fd], memory[fd]\n"),
)
IO_URING: dict[str, Animal] = {
    "plain_io_uring": Animal(
        RING,
        "The first stage: each client has a buffer of its own, also while it is silent.",
        OWN_BUFFERS,
    ),
    "one_buffer": Animal(
        RING,
        "Lends the same buffer to the kernel for every client.",
        (
            *OWN_BUFFERS[:3],
            Change(
                RING,
                "    connections = {}  # fd -> Connection\n",
                "    connections = {}  # fd -> Connection\n"
                "    memory = {}  # fd -> where the kernel puts what arrives\n"
                "    buffer = ctypes.create_string_buffer(RECV_SIZE)\n",
            ),
            OWN_BUFFERS[4],
            Change(
                RING,
                "                        pool.receive(conn.fileno())\n",
                "                        memory[conn.fileno()] = buffer\n"
                "                        ring.submit(RECV, conn.fileno(), memory[conn.fileno()])\n",
            ),
            *OWN_BUFFERS[6:],
        ),
        caught_by="serves_two_hundred_clients_in_any_order",
        fault=("                        memory[conn.fileno()] = buffer\n",),
    ),
}
