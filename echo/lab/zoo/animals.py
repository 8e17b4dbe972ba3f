"""The catalogue: what is wrong with each animal, or slow, and which requirement catches it.

The mistakes are those that people make.  Most servers on the web have several.
"""

from typing import NamedTuple

from echo.lab.zoo.changes import Change


class Animal(NamedTuple):
    """`server` with some changes; `caught_by` names the requirement that it fails, if any.

    `fault`: pieces of its text, each found once; the last line of each is to blame.
    """

    server: str
    about: str
    changes: tuple[Change, ...]
    caught_by: str | None = None
    fault: tuple[str, ...] = ()


TRY_FIRST = "if conn.unsent:  # most of the time there is room: try before you ask"
IMPORT_READ = "from echo.connection import READ\n"
IMPORT_BOTH = "from echo.connection import READ, WRITE\n"

BLOCKING: dict[str, Animal] = {
    "keeps_its_guests": Animal(
        "blocking_server",
        "Keeps a list of all its clients, and in it their sockets, which nobody closes.",
        (
            Change(
                "blocking_server",
                "from echo.accept import accept\n\n\n",
                "from echo.accept import accept\n\nguests = []\n\n\n",
            ),
            Change(
                "blocking_server",
                """\
        with accept(listener) as sock:  # sleeps until somebody connects
            echo(sock)
""",
                """\
        guests.append(accept(listener))  # sleeps until somebody connects
        echo(guests[-1])
""",
            ),
        ),
        caught_by="closes_when_the_client_has_finished",
        fault=("guests.append(accept(listener))  # sleeps until somebody connects\n",),
    ),
    "hears_them_out": Animal(
        "blocking_server",
        "Answers when its client has finished; a client that waits for an answer never does.",
        (
            Change(
                "blocking_server",
                """\
        while data := sock.recv(64 * 1024):  # sleeps until it sends something
            sock.sendall(data)  # sleeps until the kernel has taken every byte
""",
                """\
        message = b""
        while data := sock.recv(64 * 1024):  # sleeps until it sends something
            message += data
        sock.sendall(message)  # sleeps until the kernel has taken every byte
""",
            ),
        ),
        caught_by="sends_back_what_it_receives",
        fault=("            message += data\n", "        sock.sendall(message)"),
    ),
}

SELECT: dict[str, Animal] = {
    "plain_select": Animal(
        "select_server",
        "The first stage: it receives, asks for writability, and sends on the next turn.",
        (Change("select_server", TRY_FIRST, "if fd in writable:"),),
    ),
    "asks_always": Animal(
        "select_server",
        "Asks whether its clients are writable even when it has nothing for them.",
        (
            Change(
                "select_server",
                "select.select(reading, writing, [])",
                "select.select(reading, connections, [])",
            ),
        ),
        caught_by="sleeps_while_its_clients_are_silent",
        fault=("select.select(reading, connections, []))  # sleeps\n",),
    ),
    "drops_the_gone": Animal(
        "select_server",
        "Reads in one loop, writes in the next, and forgets a client in between.",
        (
            Change("select_server", "for fd in readable | writable:", "for fd in readable:"),
            Change(
                "select_server",
                f"""\
            if fd in readable:
                conn.receive()
            {TRY_FIRST}
                conn.send()

            wanted = conn.wanted() if conn.unsent or conn.eof else READ  # usually READ
            if wanted & READ:
                reading.add(fd)
            else:
                reading.discard(fd)
            if wanted & WRITE:
                writing.add(fd)
            else:
                writing.discard(fd)
            if not wanted:
                del connections[fd]
                conn.sock.close()
""",
                """\
            conn.receive()
            writing.add(fd)
            if conn.eof:  # the client has gone
                reading.discard(fd)
                writing.discard(fd)
                del connections[fd]
                conn.sock.close()

        for fd in writable:
            conn = connections[fd]
            conn.send()
            if not conn.unsent:
                writing.discard(fd)
""",
            ),
        ),
        caught_by="answers_a_client_that_sends_and_finishes_at_once",
        fault=(
            "del connections[fd]\n",
            "for fd in writable:\n            conn = connections[fd]\n",
        ),
    ),
    "keeps_the_closed": Animal(
        "select_server",
        "Closes a client and leaves its descriptor among those to be written to.",
        (
            Change(
                "select_server",
                "            else:\n                writing.discard(fd)\n",
                "            elif wanted:\n                writing.discard(fd)\n",
            ),
        ),
        caught_by="survives_a_client_that_resets",
        fault=("            elif wanted:\n",),
    ),
    "dies_above_1023": Animal(
        "select_server",
        "Hands select() any descriptor, and it cannot express one above 1023.",
        (
            Change(
                "select_server",
                "FD_SETSIZE = 1024  # of libc and of Python, not of the kernel\n\n\n",
                "\n",
            ),
            Change(
                "select_server",
                """\
                    if conn.fileno() >= FD_SETSIZE:
                        conn.sock.close()
                        continue
""",
                "",
            ),
        ),
        caught_by="survives_a_descriptor_above_1023",
        fault=("reading.add(conn.fileno())\n",),
    ),
    "forgets_the_rest": Animal(
        "select_server",
        "Takes it for granted that send() has sent everything.",
        (
            Change(
                "connection",
                "            self.unsent = self.unsent[count:]",
                '            self.unsent = b""',
            ),
        ),
        caught_by="loses_nothing_when_the_client_reads_late",
        fault=('self.unsent = b""  # usually nothing is left\n',),
    ),
    "shares_a_buffer": Animal(
        "select_server",
        "Keeps what it owes in an attribute of the class, one for all clients.",
        (
            Change(
                "connection",
                "class Connection:\n",
                "class Connection:\n    unsent = bytearray()\n\n",
            ),
            Change("connection", '        self.unsent = b""\n', ""),
        ),
        caught_by="serves_two_hundred_clients_in_any_order",
        fault=("    unsent = bytearray()\n",),
    ),
    "thinks_in_the_loop": Animal(
        "select_server",
        "Does something slow for one client while the others wait.",
        (
            Change("select_server", "import select\n", "import select\nimport time\n"),
            Change(
                "select_server",
                "                conn.receive()\n",
                "                conn.receive()\n"
                '                if conn.unsent == b"think":\n'
                "                    time.sleep(1)  # stands for a slow computation\n",
            ),
        ),
        fault=("time.sleep(1)  # stands for a slow computation\n",),
    ),
}

ASK_FOR_URGENT = Change(
    "poll_server",
    "poller.register(conn, conn.interest)",
    "poller.register(conn, conn.interest | select.POLLPRI)",
)
POLL: dict[str, Animal] = {
    "plain_poll": Animal(
        "poll_server",
        "The first stage: it receives, asks for writability, and sends on the next turn.",
        (
            Change("poll_server", IMPORT_READ, IMPORT_BOTH),
            Change("poll_server", TRY_FIRST, "if event & WRITE:"),
        ),
    ),
    "prefers_reading": Animal(
        "poll_server",
        "Writes to a client only when there is nothing to read from it.",
        (
            Change("poll_server", IMPORT_READ, IMPORT_BOTH),
            Change("poll_server", TRY_FIRST, "elif event & WRITE:"),
        ),
        caught_by="answers_a_client_that_goes_on_sending",
        fault=("elif event & WRITE:\n",),
    ),
    "uses_elif": Animal(
        "poll_server",
        "Takes several events that come together for one: reads, or hangs up, or else writes.",
        (
            Change("poll_server", IMPORT_READ, IMPORT_BOTH),
            Change(
                "poll_server",
                f"            {TRY_FIRST}\n",
                "            elif event & select.POLLHUP:  # the client has gone\n"
                "                conn.lost()\n"
                "            elif event & WRITE:\n",
            ),
        ),
        caught_by="answers_a_client_that_goes_on_sending",
        fault=("elif event & WRITE:\n",),
    ),
    "takes_rdhup_for_gone": Animal(
        "poll_server",
        "Asks for POLLRDHUP and hangs up on a client that has only finished sending.",
        (
            Change(
                "poll_server",
                "poller.register(conn, conn.interest)",
                "poller.register(conn, conn.interest | select.POLLRDHUP)",
            ),
            Change(
                "poll_server",
                "            if event & READ:\n",
                "            if event & select.POLLRDHUP:  # the client has gone\n"
                "                conn.lost()\n"
                "            elif event & READ:\n",
            ),
        ),
        caught_by="answers_a_client_that_sends_and_finishes_at_once",
        fault=("if event & select.POLLRDHUP:  # the client has gone\n",),
    ),
    "expects_one_event": Animal(
        "poll_server",
        "Compares the events with the one it hopes for, but several may come together.",
        (Change("poll_server", "if event & READ:", "if event == READ:"),),
        caught_by="gives_its_descriptors_back",
        fault=("if event == READ:\n",),
    ),
    "takes_eof_for_gone": Animal(
        "poll_server",
        "Closes a client that has finished sending, though it may still be owed something.",
        (Change("poll_server", "if not wanted:", "if conn.eof:  # the client has gone"),),
        caught_by="finishes_its_answer_to_a_half_closed_client",
        fault=("if conn.eof:  # the client has gone\n",),
    ),
    "waits_for_hup": Animal(
        "poll_server",
        "Waits for POLLHUP to learn that a client has left.",
        (
            Change(
                "poll_server", "if not wanted:", "if event & select.POLLHUP:  # the client has gone"
            ),
        ),
        caught_by="closes_when_the_client_has_finished",
        fault=("if event & select.POLLHUP:  # the client has gone\n",),
    ),
    "dies_on_reset": Animal(
        "poll_server",
        "Does not expect an error from recv() when poll() has said that it is readable.",
        (
            Change(
                "connection",
                "        except OSError:  # a reset: there is nobody left to echo to\n"
                "            self.lost()\n",
                "",
            ),
        ),
        caught_by="survives_a_client_that_resets",
        fault=("data = self.sock.recv(RECV_SIZE)\n",),
    ),
    "takes_urgent_for_input": Animal(
        "poll_server",
        "Calls recv() for urgent data, which recv() does not return: it raises EAGAIN instead.",
        (
            ASK_FOR_URGENT,
            Change(
                "poll_server",
                """\
            if event & READ:
                conn.receive()
""",
                """\
            if event & (READ | select.POLLPRI):
                conn.received(conn.sock.recv(64 * 1024))
""",
            ),
        ),
        caught_by="survives_urgent_data",
        fault=("conn.received(conn.sock.recv(64 * 1024))\n",),
    ),
    "ignores_the_urgent": Animal(
        "poll_server",
        "Asks for urgent data and does not take it, so poll() returns at once, for ever.",
        (ASK_FOR_URGENT,),
        caught_by="sleeps_while_its_clients_are_silent",
        fault=("poller.register(conn, conn.interest | select.POLLPRI)\n",),
    ),
    "counts_in_seconds": Animal(
        "poll_server",
        "Waits for a millisecond where it means a second: poll() counts otherwise than select().",
        (
            Change(
                "poll_server", "poller.poll():  # sleeps", "poller.poll(1):  # a second, at most"
            ),
        ),
        caught_by="sleeps_while_its_clients_are_silent",
        fault=("poller.poll(1):  # a second, at most\n",),
    ),
    "forgets_to_unregister": Animal(
        "poll_server",
        "Closes a client without taking it off the interest list.",
        (Change("poll_server", "                poller.unregister(fd)\n", ""),),
        caught_by="serves_one_client_after_another",
        fault=("conn.sock.close()\n",),
    ),
}

EPOLL: dict[str, Animal] = {
    "plain_epoll": Animal(
        "epoll_server",
        "The first stage: it asks for writability before it sends, and so tells epoll twice.",
        (
            Change("epoll_server", IMPORT_READ, IMPORT_BOTH),
            Change("epoll_server", TRY_FIRST, "if event & WRITE:"),
        ),
    ),
    "tells_every_time": Animal(
        "epoll_server",
        "The second stage: it sends at once, but tells epoll even what has not changed.",
        (Change("epoll_server", "elif wanted != conn.interest:", "else:"),),
    ),
    "tells_the_old": Animal(
        "epoll_server",
        "Tells epoll what it has waited for so far, and not what it is to wait for next.",
        (Change("epoll_server", "poller.modify(fd, wanted)", "poller.modify(fd, conn.interest)"),),
        caught_by="loses_nothing_when_the_client_reads_late",
        fault=("poller.modify(fd, conn.interest)\n",),
    ),
    "keeps_every_socket": Animal(
        "epoll_server",
        "Takes a client that is done off the interest list, and keeps its socket for ever.",
        (
            Change(
                "epoll_server",
                "                del connections[fd]\n                conn.sock.close()\n",
                "",
            ),
        ),
        caught_by="gives_its_descriptors_back",
        fault=("poller.unregister(fd)\n",),
    ),
    "takes_one_look": Animal(
        "epoll_server",
        "Is told of a change only once, and does not receive all that there is.",
        (
            Change(
                "epoll_server",
                "poller.register(conn, conn.interest)",
                "poller.register(conn, conn.interest | select.EPOLLET)",
            ),
        ),
        caught_by="answers_a_client_that_sends_and_finishes_at_once",
        fault=("poller.register(conn, conn.interest | select.EPOLLET)\n",),
    ),
    "queues_without_end": Animal(
        "epoll_server",
        "Goes on reading from a client that does not read, and keeps all of it.",
        (
            Change(
                "connection",
                "return WRITE if self.eof or len(self.unsent) >= HIGH_WATER else READ | WRITE",
                "return WRITE if self.eof else READ | WRITE",
            ),
        ),
        caught_by="stops_reading_from_a_client_that_does_not_read",
        fault=("return WRITE if self.eof else READ | WRITE\n",),
    ),
    "blocks_in_the_loop": Animal(
        "epoll_server",
        "Leaves its clients' sockets blocking, and sleeps in send() instead of in epoll_wait.",
        (Change("accept", "            sock.setblocking(False)\n", ""),),
        caught_by="serves_a_second_client_while_the_first_does_not_read",
        fault=("sock = accept(listener)\n",),
    ),
    "dies_without_descriptors": Animal(
        "epoll_server",
        "Does not expect accept() to fail when descriptors have run out.",
        (
            Change(
                "accept",
                """\
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE) or listener not in spares:
                raise
            del spares[listener]  # it says EMFILE even when nobody waits: find out
            continue
""",
                "",
            ),
        ),
        caught_by="goes_on_when_descriptors_run_out",
        fault=("sock, _ = listener.accept()\n",),
    ),
    "spins_without_descriptors": Animal(
        "epoll_server",
        "Tries again when descriptors have run out, and the listener stays readable.",
        (
            Change(
                "accept",
                """\
            del spares[listener]  # it says EMFILE even when nobody waits: find out
            continue
""",
                """\
            raise BlockingIOError from None  # later, perhaps
""",
            ),
        ),
        caught_by="sleeps_when_descriptors_have_run_out",
        fault=("raise BlockingIOError from None  # later, perhaps\n",),
    ),
}

EPOLL_EDGE: dict[str, Animal] = {
    "accepts_one": Animal(
        "epoll_edge_server",
        "Accepts one client for each report, but one report may stand for several.",
        (
            Change(
                "epoll_edge_server",
                """\
                for conn in accept_all(listener):  # until EAGAIN
                    connections[conn.fileno()] = conn
                    poller.register(conn, READ | WRITE | select.EPOLLET)
""",
                """\
                for conn in accept_all(listener):
                    connections[conn.fileno()] = conn
                    poller.register(conn, READ | WRITE | select.EPOLLET)
                    break
""",
            ),
        ),
        caught_by="serves_two_hundred_clients_in_any_order",
        fault=("                    break\n",),
    ),
    "misses_the_other_edge": Animal(
        "epoll_edge_server",
        "Asks only what has come, and is never told that there is room again.",
        (
            Change(
                "epoll_edge_server",
                "poller.register(conn, READ | WRITE | select.EPOLLET)",
                "poller.register(conn, READ | select.EPOLLET)",
            ),
        ),
        caught_by="loses_nothing_when_the_client_reads_late",
        fault=("poller.register(conn, READ | select.EPOLLET)\n",),
    ),
    "drains_to_the_end": Animal(
        "epoll_edge_server",
        "Reads until nothing is left, and one client who always has more is all it serves.",
        (
            Change(
                "epoll_edge_server",
                """\
            moved = conn.wanted() & READ and conn.receive()
            if conn.unsent:
                moved = conn.send() or moved
""",
                """\
            moved = False
            while conn.wanted() & READ and conn.receive():  # until EAGAIN
                moved = conn.send()
            if conn.unsent:
                moved = conn.send()
""",
            ),
        ),
        caught_by="serves_a_quiet_client_beside_a_flood",
        fault=("while conn.wanted() & READ and conn.receive():  # until EAGAIN\n",),
    ),
    "takes_eagain_for_lost": Animal(
        "epoll_edge_server",
        "Takes it for a reset that there is nothing to receive yet.",
        (
            Change(
                "connection",
                """\
            self.eof = not data  # recv() returns b"" once the client has shut its side
        except BlockingIOError:
            return False
""",
                """\
            self.eof = not data  # recv() returns b"" once the client has shut its side
""",
            ),
        ),
        caught_by="serves_a_second_client_while_the_first_is_silent",
        fault=("except OSError:  # a reset: there is nobody left to echo to\n",),
    ),
}

SIGIO: dict[str, Animal] = {
    "one_for_each_signal": Animal(
        "sigio_server",
        "Takes a signal for news of one client, and waits for the next one when it has served it.",
        (
            Change(
                "sigio_server",
                """\
        moved = True
        while moved:
            moved = False
            for conn in accept_all(listener):
                connections[conn.fileno()] = conn
                notify(conn)
                moved = True

            for fd, conn in list(connections.items()):
                if conn.wanted() & READ:
                    moved |= conn.receive()
                if conn.unsent:
                    moved |= conn.send()

                if not conn.wanted():
                    del connections[fd]
                    conn.sock.close()
""",
                """\
        for conn in accept_all(listener):
            connections[conn.fileno()] = conn
            notify(conn)

        for fd, conn in list(connections.items()):
            moved = conn.wanted() & READ and conn.receive()
            if conn.unsent:
                moved = conn.send()

            if not conn.wanted():
                del connections[fd]
                conn.sock.close()
            if moved:  # so it was this one
                break
""",
            ),
        ),
        caught_by="answers_a_client_that_sends_and_finishes_at_once",
        fault=("            if moved:  # so it was this one\n                break\n",),
    ),
}

COROUTINE: dict[str, Animal] = {
    "forgets_to_await": Animal(
        "coroutine_server",
        "Makes a coroutine that sends, and does not wait for it: it never begins.",
        (Change("coroutine_server", "await sendall(sock, data)", "sendall(sock, data)"),),
        caught_by="sends_back_what_it_receives",
        fault=("                sendall(sock, data)\n",),
    ),
    "tries_again_at_once": Animal(
        "coroutine_server",
        "Sends until all is sent without ever letting the others go on.",
        (
            Change(
                "coroutine_server",
                "            await until(WRITE)\n",
                "            pass  # the buffer is full: try again\n",
            ),
        ),
        caught_by="serves_a_second_client_while_the_first_does_not_read",
        fault=("pass  # the buffer is full: try again\n",),
    ),
}

ANIMALS: dict[str, Animal] = BLOCKING | SELECT | POLL | EPOLL | EPOLL_EDGE | SIGIO | COROUTINE
