"""Answers to the exercises of 06_edge_triggered: right ones written otherwise, and wrong ones."""

from echo.lab import zoo

LINES = [line.strip() for line in zoo.load("accepts_one").__source__.splitlines()]
BREAK, ACCEPTS, WAITS = (
    LINES.index(text) + 1
    for text in [
        "break",
        "for conn in accept_all(listener):",
        next(line for line in LINES if "poller.poll(" in line),
    ]
)

LOOP = """
def serve(listener):
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, READ | select.EPOLLET)
    clients, ready = {{}}, set()
    while True:
        for fd, _ in poller.poll({timeout}):
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    clients[conn.fileno()] = conn
                    poller.register(conn, {flags})
            else:
                ready.add(fd)
        for fd in list(ready):
            conn = clients[fd]
            moved = conn.wanted() & READ and conn.receive()
            if conn.unsent:
                moved = conn.send() or moved
            if not conn.wanted():
                ready.discard(fd)
                poller.unregister(fd)
                del clients[fd]
                conn.sock.close()
            elif {leaves}:
                ready.discard(fd)
"""
GOOD = {
    "timeout": "0 if ready else None",
    "flags": "READ | WRITE | select.EPOLLET",
    "leaves": "not moved",
}

# A queue instead of a set, the listener level-triggered as nginx has it, a budget of sixteen.
QUEUE = """
from collections import deque

def serve(listener):
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, READ)
    conns, turns = {}, deque()
    while True:
        for fd, _ in poller.poll(0) if turns else poller.poll():
            if fd == listener.fileno():
                new = {conn.fileno(): conn for conn in accept_all(listener)}
                conns.update(new)
                for number in new:
                    poller.register(number, select.EPOLLET | WRITE | READ)
            elif fd not in turns:
                turns.append(fd)
        if not turns:
            continue
        conn = conns[turns[0]]
        for _ in range(16):
            received = bool(conn.wanted() & READ) and conn.receive()
            sent = bool(conn.unsent) and conn.send()
            if not (received or sent):
                break
        if not conn.wanted():
            poller.unregister(conn)
            del conns[turns.popleft()]
            conn.sock.close()
        elif received or sent:
            turns.rotate(-1)
        else:
            turns.popleft()
"""

# No list of its own: it has the kernel say it again.
AGAIN = """
def serve(listener):
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, READ | select.EPOLLET)
    edges = READ | WRITE | select.EPOLLET
    clients = {}
    while True:
        for fd, _ in poller.poll():
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    clients[conn.fileno()] = conn
                    poller.register(conn, edges)
                continue
            conn = clients[fd]
            moved = conn.receive() if conn.wanted() & READ else False
            if conn.unsent:
                moved |= conn.send()
            if not conn.wanted():
                poller.unregister(clients.pop(fd))
                conn.sock.close()
            elif moved:
                poller.modify(conn, edges)
"""

DRAINS = """
def serve(listener):
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, READ | select.EPOLLET)
    clients = {}
    while True:
        for fd, _ in poller.poll():
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    clients[conn.fileno()] = conn
                    poller.register(conn, READ | WRITE | select.EPOLLET)
                continue
            conn = clients[fd]
            moved = True
            while moved:
                moved = conn.wanted() & READ and conn.receive()
                if conn.unsent:
                    moved = conn.send() or moved
            if not conn.wanted():
                poller.unregister(fd)
                del clients[fd]
                conn.sock.close()
"""

RIGHT = {
    1: [
        """
old = "else:"
new = "elif moved in (False, 0):"
""",
        """
old = "            else:"
new = "elif conn.wanted() and not moved:"
""",
    ],
    2: [LOOP.format(**GOOD), QUEUE, AGAIN],
    3: [
        f'stops_too_early = "{BREAK}"',
        """
faulty = zoo.load("accepts_one").__source__
stops_too_early = faulty[: faulty.index("break")].count(chr(10)) + 1
""",
    ],
}

WRONG = {
    1: [
        (
            """
old = "else:"
new = "elif moved:"
""",
            "Not repaired yet. It should still do this:",
        ),
        (
            """
old = "else:"
new = "elif not conn.unsent:"
""",
            "answers a client that sends and finishes at once",
        ),
        (
            """
old = "ready.remove(fd)"
new = "pass"
""",
            "'ready.remove(fd)' is on 3 lines of reads_once.py",
        ),
    ],
    2: [
        (
            LOOP.format(**GOOD | {"flags": "READ | WRITE"}),
            "your server calls register() for its client with IN|OUT, and without ET.",
        ),
        (DRAINS, "FAIL  serves a quiet client beside a flood"),
        (
            LOOP.format(**GOOD | {"flags": "READ | select.EPOLLET"}),  # which one fails is a race
            "a part of it, then nothing for 2 seconds\n      the server is asleep in epoll_wait",
        ),
        (
            LOOP.format(**GOOD | {"timeout": ""}),
            "FAIL  answers a client that sends and finishes at once",
        ),
    ],
    3: [
        (f"stops_too_early = {WAITS}", f"no   line {WAITS}: "),
        (f"stops_too_early = {ACCEPTS}", f"no   line {ACCEPTS}: for conn in accept_all(listener):"),
        ('stops_too_early = "break"', "'break' is not a number: write 12, without quotes."),
        ("stops_too_early = 99", "accepts_one.py has no line 99"),
    ],
}
