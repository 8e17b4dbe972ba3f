"""Answers to each exercise of 07_scaling: some that are wrong, with what the learner is told, and
some that are right and written in another way than the solution."""

SERVE = """
def serve(listener):
    def interest(owed, finished):
        {interest}

    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, READ)
    clients = {{}}
    while True:
        for fd, event in poller.poll():
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    clients[conn.fileno()] = conn
                    poller.register(conn, READ)
                continue
            conn = clients[fd]
            if event & READ:
                conn.receive()
            if conn.unsent:
                conn.send()
            if wanted := interest(len(conn.unsent), conn.eof):
                poller.modify(conn, wanted)
            else:
                clients.pop(fd).sock.close()
"""
REPAIR = """
old = "raise BlockingIOError from None  # later, perhaps"
new = "{}"
"""
CHOICE = """
chat = {!r}
reports = {!r}
tool = {!r}
"""

RIGHT = {
    1: [
        REPAIR.format("spares.pop(listener); continue"),
        REPAIR.format("del spares[listener]; sock, _ = listener.accept()"),
    ],
    2: [
        SERVE.format(
            interest="return READ * (not finished and owed < 100_000) | WRITE * (owed > 0)"
        ),
        SERVE.format(
            interest="return {(0, 0): READ, (0, 1): 0, (1, 0): READ | WRITE, (1, 1): WRITE}"
            "[owed > 0, finished or owed > 99_999]"
        ),
    ],
    3: [
        CHOICE.format("epoll_edge", "threaded", "threaded"),
        """
from echo import epoll_server, threaded_server
chat, reports, tool = epoll_server, threaded_server, " Select "
""",
    ],
}

WRONG = {
    1: [
        (REPAIR.format("continue"), "FAIL  goes on when descriptors run out"),
        (REPAIR.format("del spares[listener]"), "UnboundLocalError"),
        (REPAIR.format("listener.close(); raise"), "FAIL  goes on when descriptors run out"),
        (
            'old = "raise BlockingIOError"\nnew = "continue"',
            "'raise BlockingIOError' is not a line of spins_without_descriptors.py",
        ),
    ],
    2: [
        (
            SERVE.format(
                interest="return READ * (not finished) | WRITE * (owed > 0)",
            ),
            "FAIL  stops reading from a client that does not read",
        ),
        (
            SERVE.format(
                interest="return WRITE if owed > 99_999 else READ | WRITE * (owed > 0)",
            ),
            "FAIL  closes when the client has finished",
        ),
        (
            SERVE.format(interest="return READ if owed < 100_000 and not finished else 0"),
            "FAIL  ",
        ),
        (
            SERVE.format(
                interest="return WRITE if owed > 99_999 else READ | WRITE if owed "
                "else 0 if finished else READ"
            ),
            "FAIL  sleeps while a half closed client does not read",
        ),
        (
            SERVE.format(
                interest="return (READ if owed < 1_000_000 and not finished else 0) "
                "| WRITE * (owed > 0)"
            ),
            "FAIL  stops reading at 100,000 bytes owed",
        ),
        (
            SERVE.format(
                interest="return (READ if owed < 200_000 and not finished else 0) "
                "| WRITE * (owed > 0)"
            ),
            "client 1 is owed 2",
        ),
        (
            SERVE.format(interest="return WRITE if owed else 0 if finished else READ"),
            "bytes, and the server has stopped reading",
        ),
    ],
    3: [
        (
            CHOICE.format("poll", "threaded", "select"),
            'chat     poll: no, each wait pays for all the idle clients ("one wait": grows)',
        ),
        (
            CHOICE.format("epoll", "epoll", "select"),
            "reports  epoll: no, its only thread is inside the library, and all other clients wait",
        ),
        (
            CHOICE.format("epoll", "threaded", "poll"),
            "tool     poll: no, it does not run on every system: Python has no poll() on Windows",
        ),
        (
            CHOICE.format("epol", "threaded", "nonblocking"),
            "'epol' is not one of our servers: blocking, ",
        ),
    ],
}
