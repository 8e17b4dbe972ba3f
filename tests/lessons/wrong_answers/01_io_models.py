"""Answers to each exercise of 01_io_models: right ones, and wrong ones with what is said."""

MODELS = """
import selectors


def from_a_file(conn):
    return conn.makefile("rb").read(1)


def with_naps(conn):
    conn.setblocking(False)
    while True:
        try:
            return conn.recv(1)
        except BlockingIOError:
            time.sleep(0.001)


def with_a_selector(conn):
    with selectors.DefaultSelector() as selector:
        selector.register(conn, selectors.EVENT_READ)
        selector.select()
        return conn.recv(1)


models = {{from_a_file: "{}", with_naps: "{}", with_a_selector: "{}"}}
"""
RESTED = """
def rested(conn):
    epoll = select.epoll()
    {}
    while True:
        epoll.poll()
        try:
            return conn.recv(1)
        except BlockingIOError:
            pass
"""

RIGHT = {
    1: [
        """
def read(conn):
    while True:
        select.select([conn], [], [])
        try:
            return conn.recv(1)
        except OSError:
            continue
""",
        """
def read(conn):
    poll, data = select.poll(), None
    poll.register(conn, select.POLLIN)
    while data is None:
        poll.poll()
        try:
            data = conn.recv(1)
        except BlockingIOError:
            data = None
    return data
""",
    ],
    2: [
        MODELS.format("Blocking", "Non-Blocking", "Multiplexing"),
        MODELS.format("blocking I/O", "nonblocking", "I/O multiplexing"),
        MODELS.format("blocking", "non blocking", "multiplexing"),
        MODELS.format("", "", "")
        + 'models = dict(zip(models, ["blocking", "non-blocking", "multiplexing"], strict=True))',
    ],
    3: [
        RESTED.format("epoll.register(conn, select.EPOLLIN | select.EPOLLET)"),
        RESTED.format("epoll.register(conn.fileno(), eventmask=select.EPOLLIN)"),
        RESTED.format("epoll.register(conn, select.EPOLLIN | select.EPOLLRDHUP)"),
    ],
}

WRONG = {
    1: [
        (
            """
def read(conn):
    select.select([conn], [], [])
    return conn.recv(1)
""",
            "another thread was faster, and then the reader crashed: BlockingIOError",
        ),
        (
            """
def read(conn):
    conn.setblocking(True)
    return conn.recv(1)
""",
            "the socket is blocking now: the thread is asleep in recvfrom",
        ),
        (
            """
def read(conn):
    while True:
        try:
            return conn.recv(1)
        except BlockingIOError:
            time.sleep(0.01)
""",
            "it is asleep in clock_nanosleep, whether a byte arrives or not",
        ),
        (
            """
def read(conn):
    conn.settimeout(5)
    return conn.recv(1)
""",
            "the exercise rules out settimeout()",
        ),
        (
            """
def read(conn):
    while True:
        select.select([conn], [], [])
        try:
            return conn.recv(100)
        except BlockingIOError:
            pass
""",
            "expected b'!', got b'!?'",
        ),
        (
            """
def read(conn):
    while True:
        try:
            return conn.recv(1)
        except BlockingIOError:
            pass
""",
            "nothing has arrived, and it goes on asking: calls recvfrom = EAGAIN",
        ),
        (
            """
def read(conn):
    while not select.select([conn], [], [], 0.01)[0]:
        pass
    return conn.recv(1)
""",
            "nothing has arrived, and it goes on asking: calls pselect6",
        ),
        (
            """
def read(conn):
    data = b""
    while not data:
        select.select([conn], [], [])
        try:
            data = conn.recv(1)
        except BlockingIOError:
            pass
    return data
""",
            "expected b''; it has returned nothing and is running",
        ),
        (
            """
def read(conn):
    select.select([conn], [], [])
    while True:
        try:
            return conn.recv(1)
        except BlockingIOError:
            pass
""",
            "another thread was faster, and since then nothing has arrived, and it goes on asking",
        ),
        (
            """
def read(conn):
    while True:
        select.select([conn], [], [])
        try:
            return conn.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            pass
""",
            "it returned the byte, and left it in the kernel",
        ),
    ],
    2: [
        (
            MODELS.format("asynchronous", "non-blocking", "multiplexing"),
            "no   from_a_file: asynchronous\nyes  with_naps: nonblocking\n",
        ),
        (
            MODELS.format("blocking", "multiplexing", "multiplexing"),
            "no   with_naps: multiplexing\n",
        ),
        (
            MODELS.format("blocking", "non-blocking", "asleep in epoll_wait"),
            "no   with_a_selector: asleep in epoll_wait\n",
        ),
    ],
    3: [
        (RESTED.format("epoll.register(conn)"), "nothing has arrived, and it goes on asking"),
        (
            RESTED.format("epoll.register(conn, select.EPOLLIN | select.EPOLLOUT)"),
            "nothing has arrived, and it goes on asking",
        ),
        (
            RESTED.format("epoll.register(conn, select.EPOLLPRI)"),
            "expected b'!'; it has returned nothing and is asleep in epoll_wait",
        ),
    ],
}
