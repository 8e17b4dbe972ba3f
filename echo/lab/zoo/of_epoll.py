"""Animals made of the epoll servers, level- and edge-triggered."""

from echo.lab.zoo.animal import IMPORT_BOTH, IMPORT_READ, TRY_FIRST, Animal
from echo.lab.zoo.changes import Change

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
        "Tells epoll again what it already waits for, and never what it should wait for next.",
        (Change("epoll_server", "poller.modify(fd, wanted)", "poller.modify(fd, conn.interest)"),),
        caught_by="loses_nothing_when_the_client_reads_late",
        fault=("poller.modify(fd, conn.interest)\n",),
    ),
    "keeps_every_socket": Animal(
        "epoll_server",
        "Takes a client that is done off the interest list, and never closes its socket.",
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
        "Registers its clients edge-triggered, but does not read until nothing is left.",
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
            del spares[listener]  # EMFILE comes even if the queue is empty: find out
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
            del spares[listener]  # EMFILE comes even if the queue is empty: find out
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
    # The suite lets it be: it does nothing ten times a second, and a client that is there waits
    # a tenth of a second at most.  In a loop with work to do that is a tenth too much.
    "naps_without_descriptors": Animal(
        "epoll_server",
        "Sleeps for a while when descriptors have run out, and its clients wait as long.",
        (
            Change("accept", "import socket\n", "import socket\nimport time\n"),
            Change(
                "accept",
                """\
            del spares[listener]  # EMFILE comes even if the queue is empty: find out
            continue
""",
                """\
            time.sleep(0.1)  # perhaps a client leaves
            raise BlockingIOError from None
""",
            ),
        ),
        fault=("time.sleep(0.1)  # perhaps a client leaves\n",),
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
        "Registers its clients for reading only, and is never told that there is room again.",
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
        "Reads until nothing is left, so a client that sends without pause is all it serves.",
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
        "Treats EAGAIN, which says that nothing has come yet, as a lost connection.",
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
    "reads_once": Animal(
        "epoll_edge_server",
        "Reads once for each report, and waits to be told of the bytes that are left.",
        (Change("epoll_edge_server", "            elif not moved:\n", "            else:\n"),),
        caught_by="answers_a_client_that_sends_and_finishes_at_once",
        fault=("conn.sock.close()\n            else:\n",),
    ),
    "two_threads_one_socket": Animal(
        "epoll_edge_server",
        "Runs its loop in two threads with one epoll: while one works on what a client has sent, "
        "the other is told of the same client.",
        (
            Change(
                "epoll_edge_server",
                "import select\n",
                "import select\nimport threading\nimport time\n",
            ),
            Change("epoll_edge_server", "    listener_fd = listener.fileno()\n", ""),
            Change(
                "epoll_edge_server",
                "    ready = set()  # fds that",
                """\
    poller = select.epoll()
    poller.register(listener, READ | select.EPOLLET)
    work = [listener, connections, poller]
    threading.Thread(target=loop, args=work, daemon=True).start()
    loop(*work)


def answer(data):
    time.sleep(0.001)  # any work on it: the other thread may run meanwhile
    return data


def loop(listener, connections, poller):
    listener_fd = listener.fileno()
    ready = set()  # fds that""",
            ),
            Change(
                "epoll_edge_server",
                """\
    poller = select.epoll()
    poller.register(listener, READ | select.EPOLLET)

    while""",
                "\n    while",
            ),
            Change(
                "epoll_edge_server",
                "                moved = conn.send() or moved\n",
                """\
                conn.unsent = answer(conn.unsent)
                moved = conn.send() or moved
""",
            ),
        ),
        caught_by="loses_nothing_when_the_client_reads_late",
        fault=("threading.Thread(target=loop, args=work, daemon=True).start()\n",),
    ),
}
