"""Wrong answers to each exercise of 01_io_models, and what the learner is told."""

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
            "it is asleep in clock_nanosleep, whether a byte comes or not",
        ),
        (
            """
def read(conn):
    conn.settimeout(5)
    return conn.recv(1)
""",
            "with settimeout() Python sleeps and reads in one step",
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
            "expected b'!', came b'!?'",
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
    ],
    2: [
        (
            """
def patient(conn):
    conn.settimeout(5)
    return conn.recv(1)


call, is_blocking = "recvfrom", False
""",
            "no   recvfrom\nyes  False\n\nNot yet",
        ),
        (
            """
def patient(conn):
    conn.settimeout(5)
    return conn.recv(1)


call, is_blocking = "poll", True
""",
            "yes  poll\nno   True\n\nNot yet",
        ),
    ],
    3: [
        (
            'who, call = "the kernel", "nowhere"',
            "no   the kernel\nno   nowhere\n\nNot yet: 2 of 2 are missing",
        ),
        ('who, call = "another thread", "recvfrom"', "no   recvfrom\n\nNot yet"),
    ],
    4: [
        ("line = 39", "no   line 39: conn.sock.close()\n\nNot yet. On the tape, follow client 3"),
        ("line = 43", "no   line 43: signal.sigwaitinfo({signal.SIGIO})  # sleeps\n\nNot yet"),
    ],
}
