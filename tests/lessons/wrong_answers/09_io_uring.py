"""Right answers to the exercises of 09_io_uring written otherwise, and wrong ones told why."""

ACCEPTS = """
def serve(listener):
    with contextlib.closing(Ring()) as ring:
        loop(listener, ring, {})


def loop(listener, ring, clients):
    ring.submit(ACCEPT, listener.fileno(), shots=1)
    while True:
        for operation, fd, result, flags in ring.wait():
            if operation == ACCEPT:
                if not flags & 2:
                    ring.submit(ACCEPT, fd, shots=1)
                if result < 0:
                    continue
                fd = result
                conn = Connection(socket.socket(fileno=fd))
                clients[fd] = conn, ctypes.create_string_buffer(16 * 1024)
            else:
                conn, memory = clients[fd]
                if result < 0:
                    conn.lost()
                elif operation == SEND:
                    conn.sent(result)
                else:
                    conn.received(memory.raw[:result])
            if conn.unsent:
                ring.submit(SEND, fd, conn.unsent)
            elif conn.eof:
                conn.sock.close()
                del clients[fd]
            else:
                ring.submit(RECV, fd, clients[fd][1])
"""
POOLED = """
def serve(listener):
    clients = {}
    with contextlib.closing(Ring()) as ring:
        pool = Pool(ring)
        ring.submit(ACCEPT, listener.fileno())
        while True:
            for operation, fd, result, flags in ring.wait():
                if operation == ACCEPT:
                    ring.submit(ACCEPT, fd)
                    if result >= 0:
                        clients[result] = Connection(socket.socket(fileno=result))
                        pool.receive(result)
                    continue
                conn = clients[fd]
                if result >= 0 and operation == RECV:
                    conn.received(pool.take(result, flags))
                elif result >= 0:
                    conn.sent(result)
                elif result != -errno.ENOBUFS:
                    conn.lost()
                if conn.unsent:
                    ring.submit(SEND, fd, conn.unsent)
                elif conn.wanted():
                    pool.receive(fd)
                else:
                    clients.pop(fd).sock.close()
"""
ONE = ACCEPTS.replace(
    """                if not flags & 2:
                    ring.submit(ACCEPT, fd, shots=1)
""",
    "",
).replace(", shots=1)", ")")
LINE = "memory[conn.fileno()] = buffer"
ANSWER = """
order, linked, alone = {!r}, {!r}, {!r}
"""

RIGHT = {
    1: [ACCEPTS, POOLED],
    2: [
        f"""
old = "                        {LINE}"
new = "memory[conn.fileno()] = (ctypes.c_char * RECV_SIZE)()"
""",
        f"""
old = "{LINE}"
new = "memory[conn.fileno()] = type(buffer)()"
""",
    ],
    3: [
        ANSWER.format("cab", "ebadf ecanceled", "ebadf 5"),
        ANSWER.format(" CAB", "EBADF, ECANCELED", "ebadf,  5"),
    ],
}
WRONG = {
    1: [
        (
            "serve = epoll_server.serve",
            "it calls accept() itself: submit ACCEPT, and take the descriptor from the result",
        ),
        ("serve = zoo.load('plain_io_uring').serve", "it calls accept() itself"),
        (ONE, "FAIL  serves one client after another"),
        (
            ACCEPTS.replace("conn.sent(result)", 'conn.unsent = b""').replace("16 *", "64 *"),
            "FAIL  sends the rest of a send that took only a part",
        ),
        (
            ACCEPTS.replace("conn.sent(result)", 'conn.unsent = b""').replace("16 *", "4 *"),
            "the result of a SEND says how many bytes it took",
        ),
    ],
    2: [
        (
            f"""
old = "{LINE}"
new = "memory[conn.fileno()] = buffer  # for all"
""",
            "That is the line as it was.",
        ),
        (
            f"""
old = "{LINE}"
new = "memory[conn.fileno()] = bytearray(RECV_SIZE)"
""",
            "the server crashed: TypeError",
        ),
        (
            """
old = "buffer = None"
new = "buffer = None"
""",
            "is not a line of one_buffer.py: copy one whole line, exactly as it is there.",
        ),
        (
            """
old = "ring.submit(RECV, fd, memory[fd])"
new = "ring.submit(RECV, fd, ctypes.create_string_buffer(RECV_SIZE))"
""",
            "Not repaired yet.",
        ),
    ],
    3: [
        (ANSWER.format("ABC", "EBADF ECANCELED", "EBADF 5"), "no   ABC"),
        (ANSWER.format("CAB", "EBADF 5", "EBADF 5"), "Not yet: the second is wrong"),
        (ANSWER.format("CAB", "EBADF ECANCELED", "EBADF ECANCELED"), "Not yet: the third is wrong"),
    ],
}
