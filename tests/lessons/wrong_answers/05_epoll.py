"""Right and wrong answers to each exercise of 05_epoll, and what the learner is told."""

PROXY = """
def proxy(listener):
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
            if not end.connected:
                end.connected = True
                if end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    end.lost()
            elif event & ~WRITE:
                end.receive()
            both = end, end.other
            for one in both:
                if one.connected and one.unsent:
                    one.send()
{finish}            for one in both:
                if {over}:
                    del ends[one.fileno()]
                    one.sock.close()
                elif one.wanted() != one.interest:
                    one.interest = one.wanted()
                    poller.modify(one, one.interest)
"""
STAYS = """\
                    one.interest = one.wanted()
                    poller.modify(one, one.interest)
"""
LEAVES = """\
                    if one.interest:
                        poller.unregister(one)
                    one.interest = one.wanted()
                    if one.interest:
                        poller.register(one, one.interest)
"""
FINISH = """\
                one.finish()
"""

RIGHT = {
    1: [
        # The dict has a descriptor's flags beside its Connection; unregister() before close().
        """
def serve(listener):
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN)
    known = {}
    while True:
        for fd, event in poller.poll():
            if fd not in known:
                for conn in accept_all(listener):
                    poller.register(conn.fileno(), select.EPOLLIN)
                    known[conn.fileno()] = conn, select.EPOLLIN
                continue
            conn, told = known[fd]
            if event & ~select.EPOLLOUT:
                conn.receive()
            conn.send()
            wanted = conn.wanted()
            if wanted == 0:
                poller.unregister(fd)
                known.pop(fd)[0].sock.close()
            elif wanted != told:
                poller.modify(fd, wanted)
                known[fd] = conn, wanted
""",
        # It tells the kernel in every turn, and asks before it sends.
        """
def serve(listener):
    listener.setblocking(False)
    clients = {}
    with select.epoll() as poller:
        poller.register(listener, READ)
        while True:
            for fd, event in poller.poll(-1, 10):
                conn = clients.get(fd)
                if conn is None:
                    new = list(accept_all(listener))
                    clients.update((one.fileno(), one) for one in new)
                    for one in new:
                        poller.register(one, READ)
                    continue
                if event & WRITE:
                    conn.send()
                if event & READ:
                    conn.receive()
                if conn.wanted():
                    poller.modify(fd, conn.wanted())
                else:
                    conn.sock.close()
                    del clients[fd]
""",
    ],
    2: [
        'new = "elif wanted > READ:"',
        'new = "            elif wanted not in (READ, conn.interest):  # no"',
    ],
    3: [
        'told_wrongly = " 41"',
        """
for number, text in enumerate(zoo.load("tells_the_old").__source__.splitlines(), 1):
    if "modify(fd, conn.interest)" in text:
        told_wrongly = number
""",
    ],
    4: [
        # On poll, with every end asked anew in every turn.
        """
def proxy(listener):
    listener.setblocking(False)
    ends = {}
    while True:
        poller = select.poll()
        poller.register(listener, READ)
        for fd, end in ends.items():
            if end.wanted():
                poller.register(fd, end.wanted())
        for fd, event in poller.poll():
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    mine, yours = End(conn.sock, True), End(socket.socket(), False)
                    mine.other, yours.other = yours, mine
                    yours.sock.setblocking(False)
                    yours.sock.connect_ex(behind.address)
                    ends[mine.fileno()], ends[yours.fileno()] = mine, yours
            elif fd in ends:
                end = ends[fd]
                if end.connected:
                    if event & ~WRITE:
                        end.receive()
                else:
                    if end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        end.lost()
                    end.connected = True
                for one in end.other, end:
                    if one.connected and one.unsent:
                        one.send()
                    one.finish()
                if end.finished and end.other.finished:
                    for one in end, end.other:
                        del ends[one.fileno()]
                        one.sock.close()
""",
        # select() makes the lists; both connections of a client are kept as a pair.
        """
def proxy(listener):
    listener.setblocking(False)
    pairs = []
    while True:
        everyone = [end for pair in pairs for end in pair]
        reading = [listener] + [end for end in everyone if end.wanted() & READ]
        writing = [end for end in everyone if end.wanted() & WRITE]
        readable, writable, _ = select.select(reading, writing, [])
        for pair in list(pairs):
            for end in pair:
                if end in writable and not end.connected:
                    end.connected = True
                    if end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        end.lost()
                elif end in readable:
                    end.receive()
            for end in pair:
                if end.connected and end.unsent:
                    end.send()
                end.finish()
            if all(end.finished for end in pair):
                pairs.remove(pair)
                for end in pair:
                    end.sock.close()
        if listener in readable:
            for conn in accept_all(listener):
                front, back = End(conn.sock, True), End(socket.socket(), False)
                front.other, back.other = back, front
                back.sock.setblocking(False)
                back.sock.connect_ex(behind.address)
                pairs.append((front, back))
""",
    ],
}

WRONG = {
    1: [
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
                    poller.register(conn, READ | WRITE)
                continue
            conn = clients[fd]
            if event & READ and conn.wanted() & READ:
                conn.receive()
            if conn.unsent:
                conn.send()
            if not conn.wanted():
                del clients[fd]
                conn.sock.close()
""",
            "FAIL  sleeps while its clients are silent",
        ),
    ],
    2: [
        (
            """
new = "elif wanted:"
""",
            'the server meets "sleeps while its clients are silent", too.',
        ),
        (
            """
new = ""
""",
            "That leaves the line out: write another one in its place.",
        ),
        (
            """
new = "pass"
""",
            "This is no longer valid Python",
        ),
        (
            """
new = "elif wanted > conn.interest:"
""",
            "It should still do this:\n\nstops reading from a client that does not read",
        ),
        (
            """
new = "elif wanted == READ:"
""",
            "It breaks, but not as asked. It should still do this:",
        ),
        (
            """
new = "elif wanted != WRITE:"
""",
            "the server crashed: NameError: name 'WRITE' is not defined",
        ),
    ],
    3: [
        (
            "told_wrongly = 42",
            "no   line 42: conn.interest = wanted",
        ),
        (
            "told_wrongly = 40",
            "no   line 40: elif wanted != conn.interest:",
        ),
        (
            "told_wrongly = 36",
            'no   line 36: if not wanted:\n\nNot yet. "The whole server" shows why.',
        ),
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
        (
            "proxy = epoll_server.serve",
            "FAIL  lets its clients through to the server behind",
        ),
        (  # connect() waits, and raises what went wrong
            PROXY.format(finish=FINISH, over="end.finished and end.other.finished")
            .replace("                    there.sock.setblocking(False)\n", "")
            .replace("connect_ex(", "connect("),
            "the server crashed: ConnectionRefusedError",
        ),
        (  # the other end's event may come later in the same turn, and here it always does
            PROXY.format(finish=FINISH, over="end.finished and end.other.finished")
            .replace("            if fd not in ends:\n                continue\n", "")
            .replace("for end in here, there:", "for end in there, here:")
            .replace("end.interest = end.wanted()", "end.interest = READ | WRITE")
            .replace("elif one.wanted() != one.interest:", "elif False:"),
            "the server crashed: KeyError",
        ),
        (  # an end that wants nothing stays on the list, and HUP comes unasked
            PROXY.format(finish=FINISH, over="end.finished and end.other.finished"),
            "FAIL  sleeps when the server behind is gone",
        ),
        (  # the other end's event comes later in the same turn only if it is made to
            PROXY.format(finish=FINISH, over="end.finished and end.other.finished")
            .replace("            if fd not in ends:\n                continue\n", "")
            .replace(STAYS, LEAVES),
            "FAIL  survives an event for a client that it has just closed",
        ),
    ],
}
