"""Right and wrong answers to each exercise of 04_poll, and what the learner is told."""

RIGHT = {
    1: [
        """
def serve(listener):
    listener.setblocking(False)
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    clients = {}
    while True:
        events = dict(poller.poll())
        for fd in set(events) & set(clients):
            conn = clients[fd]
            if events[fd] & ~select.POLLOUT:
                conn.receive()
            if conn.unsent:
                conn.send()
            if not conn.wanted():
                poller.unregister(fd)
                clients.pop(fd).sock.close()
            else:
                poller.modify(fd, conn.wanted())
        if listener.fileno() in events:
            for conn in accept_all(listener):
                clients[conn.fileno()] = conn
                poller.register(conn.fileno(), select.POLLIN)
""",
        """
def serve(listener):
    listener.setblocking(False)
    poller = select.poll()
    clients = {}
    while True:
        for fd, conn in list(clients.items()):
            if conn.wanted() == 0:
                poller.unregister(fd)
                del clients[fd]
                conn.sock.close()
            else:
                poller.register(fd, conn.wanted())
        poller.register(listener, READ)
        for fd, event in poller.poll():
            if fd == listener.fileno():
                clients.update({conn.fileno(): conn for conn in accept_all(listener)})
            elif event & select.POLLOUT:
                clients[fd].send()
                if event & READ:
                    clients[fd].receive()
            else:
                clients[fd].receive()
""",
    ],
    2: [
        """
old = "elif event & select.POLLHUP:  # the client has gone"
new = "if event & select.POLLHUP:  # the client has gone"
""",
        """
old = "            elif event & WRITE:"
new = "            if conn.unsent:"
""",
    ],
    3: [
        'line = "30"',
        """
faulty = zoo.load("expects_one_event").__source__.splitlines()
line = 1 + [text.strip() for text in faulty].index("if event == READ:")
""",
    ],
    4: [
        """
def poll_says(unread, they_finished, we_finished, room):
    said = set()
    if they_finished:
        said = {"RDHUP", "IN"} | ({"HUP"} if we_finished else set())
    if unread > 0:
        said.add("IN")
    if we_finished or room:
        said.add("OUT")
    return said
""",
        """
def poll_says(unread, they_finished, we_finished, room):
    reasons = {
        "HUP": they_finished and we_finished,
        "RDHUP": they_finished,
        "OUT": we_finished or room,
        "IN": they_finished or unread,
    }
    return [flag for flag in reasons if reasons[flag]]
""",
    ],
}

WRONG = {
    1: [
        (
            """
def serve(listener):
    listener.setblocking(False)
    clients = {}
    poller = select.poll()
    poller.register(listener, READ)
    while True:
        for fd, event in poller.poll():
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    clients[conn.fileno()] = conn
                    poller.register(conn, READ | select.POLLRDHUP)
                continue
            conn = clients[fd]
            if event & (select.POLLRDHUP | select.POLLHUP):
                conn.lost()
            else:
                if event & READ:
                    conn.receive()
                conn.send()
            if conn.wanted():
                poller.modify(conn, conn.wanted() | select.POLLRDHUP)
            else:
                poller.unregister(conn)
                del clients[fd]
                conn.sock.close()
""",
            "FAIL  answers a client that sends and finishes at once",
        ),
        (
            """
def serve(listener):
    listener.setblocking(False)
    clients = {}
    poller = select.poll()
    poller.register(listener)
    while True:
        for fd, event in poller.poll():
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    clients[conn.fileno()] = conn
                    poller.register(conn)
                continue
            conn = clients[fd]
            if event & READ:
                conn.receive()
            if conn.unsent:
                conn.send()
            if not conn.wanted():
                poller.unregister(conn)
                del clients[fd]
                conn.sock.close()
""",
            "FAIL  stops reading from a client that does not read",
        ),
        (
            """
def serve(listener):
    listener.setblocking(False)
    clients = {}
    poller = select.poll()
    poller.register(listener, READ)
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
            if conn.wanted():
                poller.register(conn, conn.wanted())
            else:
                conn.sock.close()
                poller.unregister(conn)
""",
            "the server crashed: ValueError: file descriptor cannot be a negative integer (-1)",
        ),
    ],
    2: [
        (
            """
old = "elif event & WRITE:"
new = "elif conn.unsent:"
""",
            "Not repaired yet. It should still do this:\n\nFAIL  answers a client that goes on",
        ),
        (
            """
old = "elif event & select.POLLHUP:  # the client has gone"
new = "elif event & (select.POLLHUP | select.POLLRDHUP):"
""",
            "Not repaired yet. It should still do this:\n\nFAIL  answers a client that goes on",
        ),
        (
            """
old = "elif event & WRITE"
new = "if event & WRITE"
""",
            "'elif event & WRITE' is not a line of uses_elif.py: copy one whole line",
        ),
    ],
    3: [
        (
            "line = 32",
            "no   line 32: if conn.unsent:",
        ),
        (
            "line = 40",
            "no   line 40: elif wanted != conn.interest:",
        ),
        (
            "line = 42",
            "no   line 42: conn.interest = wanted",
        ),
    ],
    4: [
        (
            """
def poll_says(unread, they_finished, we_finished, room):
    said = []
    if unread:
        said.append("IN")
    if room:
        said.append("OUT")
    if they_finished:
        said.append("RDHUP")
    if they_finished and we_finished:
        said.append("HUP")
    return said
""",
            "      expected  IN|OUT|RDHUP\n      came      ['OUT', 'RDHUP']\n",
        ),
        (
            """
def poll_says(unread, they_finished, we_finished, room):
    if they_finished:
        return ["IN", "OUT", "RDHUP", "HUP"]
    return ["IN", "OUT"] if unread else ["OUT"] if room else []
""",
            "FAIL  poll_says(5, False, False, False)\n\n      expected  IN",
        ),
        (
            """
def poll_says(unread, they_finished, we_finished, room):
    said = []
    if unread or they_finished:
        said.append("IN")
    if room:
        said.append("OUT")
    if they_finished:
        said.append("RDHUP")
    if they_finished and we_finished:
        said.append("HUP")
    return said
""",
            "FAIL  poll_says(0, False, True, False)\n\n      expected  OUT",
        ),
    ],
}
