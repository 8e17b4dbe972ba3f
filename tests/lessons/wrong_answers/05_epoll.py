"""Two wrong answers to each exercise of 05_epoll, and what the learner is told."""

PROXY = """
def serve(listener):
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, READ)
    ends = {{}}
    while True:
        for fd, event in poller.poll():
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    here, there = End(conn.sock, True), End(socket.socket(), False)
                    here.other, there.other = there, here
                    there.sock.setblocking(False)
                    there.sock.connect_ex(behind.address)
                    for end in here, there:
                        ends[end.fileno()] = end
                        end.interest = end.wanted()
                        poller.register(end, end.interest)
                continue
            if fd not in ends:
                continue
            end = ends[fd]
            end.connected = True
            if event & ~WRITE:
                end.receive()
            both = end, end.other
            for one in both:
                if one.unsent:
                    one.send()
{finish}            for one in both:
                if {over}:
                    del ends[one.fileno()]
                    one.sock.close()
                elif one.wanted() != one.interest:
                    one.interest = one.wanted()
                    poller.modify(one, one.interest)
"""
FINISH = """\
                one.finish()
"""

WRONG = {
    1: [
        (
            """
old = "conn.interest = wanted"
new = "conn.interest = 0"
""",
            'the server meets "sleeps while its clients are silent", too.',
        ),
        (
            """
old = "conn.interest = wanted"
new = "conn.interest = WRITE"
""",
            "the server crashed: NameError: name 'WRITE' is not defined",
        ),
    ],
    2: [
        (
            """
def serve(listener):
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, READ)
    clients = {}
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
""",
            "the server crashed: FileExistsError: [Errno 17] File exists",
        ),
        (
            """
def serve(listener):
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, READ)
    clients = {}
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
            if not conn.wanted():
                del clients[fd]
                conn.sock.close()
""",
            "a part of it, then nothing for 2 seconds",
        ),
    ],
    3: [
        ("told_wrongly = 41", "no   line 41: conn.interest = wanted"),
        ("told_wrongly = 39", "no   line 39: elif wanted != conn.interest:"),
    ],
    4: [
        (
            PROXY.format(finish="", over="end.finished and end.other.finished"),
            "FAIL  closes when the client has finished",
        ),
        (
            PROXY.format(finish=FINISH, over="end.eof or end.other.eof"),
            "FAIL  answers a client that sends and finishes at once",
        ),
    ],
}
