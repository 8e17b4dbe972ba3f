"""Right and wrong answers to each exercise of 03_select, and what the learner is told."""

RIGHT = {
    1: [
        # Two sets that are kept up to date, and descriptors instead of connections.
        """
def serve(listener):
    listener.setblocking(False)
    clients, reading, writing = {}, {listener.fileno()}, set()
    while True:
        can_read, can_write, _ = select.select(reading, writing, [])
        for fd in set(can_read) | set(can_write):
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    if conn.fileno() > 1023:
                        conn.sock.close()
                    else:
                        clients[conn.fileno()] = conn
                        reading.add(conn.fileno())
                continue
            conn = clients[fd]
            if fd in can_read:
                conn.receive()
            if conn.unsent:
                conn.send()
            wants = conn.wanted()
            for flag, kept in (READ, reading), (WRITE, writing):
                if wants & flag:
                    kept.add(fd)
                else:
                    kept.discard(fd)
            if wants == 0:
                del clients[fd]
                conn.sock.close()
""",
        # It never tries before it has asked: two turns for each message, and right all the same.
        """
def serve(listener):
    listener.setblocking(False)
    clients = []
    while True:
        for conn in list(clients):
            if not conn.wanted():
                clients.remove(conn)
                conn.sock.close()
        readable, writable, _ = select.select(
            [listener] + [conn for conn in clients if conn.wanted() & READ],
            [conn for conn in clients if conn.wanted() & WRITE],
            [],
        )
        for conn in readable:
            if conn is not listener:
                conn.receive()
        for conn in writable:
            conn.send()
        if listener in readable:
            for conn in accept_all(listener):
                if conn.fileno() >= 1024:
                    conn.sock.close()
                    continue
                clients.append(conn)
""",
    ],
    2: [
        """
new = "if conn.wanted():"
""",
        """
new = "            if conn.unsent or not conn.eof:"
""",
    ],
    3: ["removes, counts_on_it = 45, 41", "removes = 41\ncounts_on_it = 45"],
}

WRONG = {
    1: [
        (
            """
def serve(listener):
    listener.setblocking(False)
    clients = set()
    while True:
        writing = [conn for conn in clients if conn.unsent]
        readable, writable, _ = select.select([listener, *clients], writing, [])
        for conn in {*readable, *writable} - {listener}:
            if conn in readable:
                conn.receive()
            conn.send()
            if conn.eof:
                clients.remove(conn)
                conn.sock.close()
        if listener in readable:
            clients.update(accept_all(listener))
""",
            "FAIL  finishes its answer to a half closed client",
        ),
        (
            """
def serve(listener):
    listener.setblocking(False)
    clients = set()
    while True:
        readable, writable, _ = select.select([listener, *clients], clients, [])
        for conn in {*readable, *writable} - {listener}:
            if conn in readable and conn.wanted() & READ:
                conn.receive()
            if conn.unsent:
                conn.send()
            if not conn.wanted():
                clients.remove(conn)
                conn.sock.close()
        if listener in readable:
            clients.update(accept_all(listener))
""",
            "FAIL  sleeps while its clients are silent",
        ),
        (
            """
def serve(listener):
    listener.setblocking(False)
    clients = set()
    while True:
        reading = [listener, *(conn for conn in clients if conn.wanted() & READ)]
        writing = [conn for conn in clients if conn.wanted() & WRITE]
        readable, writable, _ = select.select(reading, writing, [])
        for conn in {*readable, *writable} - {listener}:
            if conn in readable:
                conn.receive()
            if conn.unsent:
                conn.send()
            if not conn.wanted():
                clients.remove(conn)
                conn.sock.close()
        if listener in readable:
            clients.update(accept_all(listener))
""",
            "FAIL  survives a descriptor above 1023",
        ),
    ],
    2: [
        (
            """
old = "if wanted & WRITE:"
new = "if True:"
""",
            "the server crashed: OSError: [Errno 9] Bad file descriptor",
        ),
        (
            """
old = "if wanted & WRITE:"
new = "if conn.unsent:"
""",
            'the server meets "sleeps while its clients are silent", too.',
        ),
        (
            """
old = "if wanted & WRITE:"
new = "if wanted & WRITE:"
""",
            "That is the line as it was.",
        ),
    ],
    3: [
        ("removes, counts_on_it = 40, 45", "no   40\nyes  45\n\nNot yet"),
        ("removes, counts_on_it = 41, 44", "yes  41\nno   44\n\nNot yet"),
        (
            "removes, counts_on_it = 38, 35",
            'Not yet: the first and the second are wrong.\n"The whole server" shows why.',
        ),
    ],
}
