"""Two wrong answers to each exercise of 03_select, and what the learner is told."""

WRONG = {
    1: [
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
    ],
    2: [
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
    ],
    3: [
        ("removes, counts_on_it = 39, 44", "yes  line 44: conn = connections[fd]\n\nNot yet"),
        ("removes, counts_on_it = 40, 43", "no   line 43: for fd in writable:\n\nNot yet"),
    ],
}
