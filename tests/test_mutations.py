"""One line of our own code made wrong at a time: the suite names what has gone wrong."""

from typing import NamedTuple

import pytest

from echo.lab import conformance, zoo
from echo.lab.conformance import Failed, examine
from echo.lab.zoo import Change

REQUIREMENTS = {one.__name__: one for one in conformance.REQUIREMENTS}


class Mutation(NamedTuple):
    """In echo/<module>.py, `old` becomes `new`: `caught_by` a requirement; or not, and `why`."""

    module: str
    old: str
    new: str
    caught_by: str = ""
    why: str = ""
    server: str = ""  # if it is another than the one that is changed, or select_server

    @property
    def change(self):
        return Change(self.module, self.old, self.new)

    def serve(self):
        own = self.module if self.module.endswith("_server") else "select_server"
        return zoo.derive("mutation", self.server or own, (self.change,)).serve


FAULTS = [
    # -- the bytes
    Mutation(
        "connection",
        "            self.unsent += data",
        "            self.unsent = data",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "connection",
        "            self.unsent = self.unsent[count:]",
        "            self.unsent = self.unsent[count + 1 :]",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "connection",
        "            self.unsent = self.unsent[count:]",
        "            self.unsent = self.unsent",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "connection",
        "self.sock.send(self.unsent)",
        "self.sock.send(self.unsent.strip())",
        "sends_back_a_message_longer_than_the_buffers",
    ),
    Mutation(
        "connection",
        "self.sock.recv(RECV_SIZE)",
        "self.sock.recv(RECV_SIZE).strip()",
        "sends_back_a_message_longer_than_the_buffers",
    ),
    Mutation(
        "connection",
        "self.sock.recv(RECV_SIZE)",
        "self.sock.recv(0)",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "connection",
        "RECV_SIZE = 256 * 1024",
        "RECV_SIZE = 1",
        "sends_back_a_message_longer_than_the_buffers",
    ),
    # -- the end of input
    Mutation(
        "connection",
        "            self.eof = not data",
        "            self.eof = False",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "connection",
        "            self.eof = not data",
        "            self.eof = len(data) < 2",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "connection",
        "return 0 if self.eof else READ",
        "return READ",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "connection",
        "return 0 if self.eof else READ",
        "return 0",
        "sends_back_what_it_receives",
        server="nonblocking_server",  # it calls wanted() on every turn
    ),
    Mutation(
        "select_server",
        "conn.wanted() if conn.unsent or conn.eof else READ",
        "conn.wanted() if conn.unsent else READ",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "select_server",
        "if conn.unsent or conn.eof else READ",
        "if conn.unsent or conn.eof else 0",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "select_server",
        "del connections[fd]\n                conn.sock.close()",
        "del connections[fd]",
        "closes_when_the_client_has_finished",
    ),
    # -- clients that break off
    Mutation(
        "connection",
        "        except OSError:\n            self.lost()",
        "        except ConnectionAbortedError:\n            self.lost()",
        "survives_a_client_that_resets",
    ),
    Mutation(
        "connection",
        "        except OSError:\n            self.lost()",
        "        except OSError:\n            pass",
        "gives_its_descriptors_back",
    ),
    Mutation(
        "connection",
        'self.unsent, self.eof = b"", True',
        "self.eof = True",
        "gives_its_descriptors_back",
    ),
    # -- clients that do not read
    Mutation(
        "connection",
        "# usually nothing is left\n        except BlockingIOError:",
        "# usually nothing is left\n        except InterruptedError:",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "connection",
        "HIGH_WATER = 256 * 1024",
        "HIGH_WATER = 1 << 40",
        "stops_reading_from_a_client_that_does_not_read",
    ),
    Mutation(
        "connection",
        "return WRITE if self.eof or len(self.unsent) >= HIGH_WATER else READ | WRITE",
        "return WRITE if len(self.unsent) >= HIGH_WATER else READ | WRITE",
        "sleeps_while_a_half_closed_client_does_not_read",
    ),
    Mutation(
        "connection",
        "else READ | WRITE",
        "else READ",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "select_server",
        "conn.wanted() if conn.unsent or conn.eof else READ",
        "conn.wanted() if conn.eof else READ",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "select_server",
        "for fd in readable | writable:",
        "for fd in readable:",
        "finishes_its_answer_to_a_half_closed_client",
    ),
    Mutation(
        "select_server",
        "select.select(reading, writing, [])",
        "select.select(reading, [], [])",
        "finishes_its_answer_to_a_half_closed_client",
    ),
    # -- many clients
    Mutation(
        "select_server",
        "    listener.setblocking(False)\n",
        "",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "select_server",
        "reading.add(conn.fileno())",
        "reading = {listener.fileno(), conn.fileno()}",
        "serves_two_hundred_clients_in_any_order",
    ),
    Mutation(
        "select_server",
        "                continue\n\n            conn =",
        "\n            conn =",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "accept",
        "sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)",
        "sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)",
        "survives_urgent_data",
    ),
    # -- what it costs
    Mutation(
        "select_server",
        "select.select(reading, writing, [])",
        "select.select(reading, writing, [], 0)",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "select_server",
        "if conn.unsent or conn.eof else READ",
        "if conn.unsent or conn.eof else READ | WRITE",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "select_server",
        "if wanted & WRITE:",
        "if wanted & WRITE or wanted and fd in writing:",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "select_server",
        "if wanted & READ:",
        "if wanted:",
        "stops_reading_from_a_client_that_does_not_read",
    ),
    Mutation(
        "connection",
        "READ, WRITE = 1, 4",
        "READ, WRITE = 1, 1",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "select_server",
        "reading.discard(fd)",
        "reading.remove(fd)",
        "sleeps_while_a_client_does_not_read",
    ),
    Mutation(
        "select_server",
        "writing.discard(fd)",
        "writing.remove(fd)",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "select_server",
        "reading.discard(fd)",
        "reading.add(fd)",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "select_server",
        "                conn.receive()\n",
        "                while conn.receive() and not conn.eof: conn.send()\n",
        "serves_a_quiet_client_beside_a_flood",
    ),
    # -- limits
    Mutation(
        "accept",
        "(errno.EMFILE, errno.ENFILE) or listener",
        "(errno.ENFILE,) or listener",
        "goes_on_when_descriptors_run_out",
    ),
    Mutation(
        "accept",
        "            del spares[listener]",
        "            pass",
        "goes_on_when_descriptors_run_out",
    ),
    Mutation(
        "accept",
        "            if listener not in spares:",
        "            if listener in spares:",
        "goes_on_when_descriptors_run_out",
    ),
    Mutation(
        "accept",
        "        os.close(self.fd)",
        "        pass",
        "goes_on_when_descriptors_run_out",
    ),
    Mutation(
        "select_server",
        ">= FD_SETSIZE",
        "> FD_SETSIZE",
        "survives_a_descriptor_above_1023",
    ),
    Mutation(
        "select_server",
        "                        conn.sock.close()\n                        continue",
        "                        continue",
        "survives_a_descriptor_above_1023",
    ),
    Mutation(
        "select_server",
        "                        conn.sock.close()\n                        continue",
        "                        conn.sock.close()",
        "survives_a_descriptor_above_1023",
    ),
    Mutation(
        "select_server",
        "                        continue\n",
        "                        return\n",
        "survives_a_descriptor_above_1023",
    ),
    # -- the loop of poll
    Mutation(
        "poll_server",
        "poller.register(listener, READ)",
        "poller.register(listener, 0)",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "poll_server",
        "                continue\n\n            conn =",
        "\n            conn =",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "poll_server",
        "poller.register(conn, conn.interest)",
        "poller.register(conn, 0)",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "poll_server",
        "poller.modify(fd, wanted)",
        "pass",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "poll_server",
        "                conn.interest = wanted\n",
        "",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "poll_server",
        "elif wanted != conn.interest:",
        "elif wanted > conn.interest:",
        "stops_reading_from_a_client_that_does_not_read",
    ),
    Mutation(
        "poll_server",
        "elif wanted != conn.interest:",
        "elif wanted < conn.interest:",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "poll_server",
        "                conn.sock.close()\n",
        "",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "poll_server",
        "conn.wanted() if conn.unsent or conn.eof else READ",
        "conn.wanted() if conn.unsent or conn.eof else conn.interest",
        "sleeps_while_its_clients_are_silent",
    ),
    # -- the loop of epoll
    Mutation(
        "epoll_server",
        "poller.register(conn, conn.interest)",
        "poller.register(conn, conn.interest | select.EPOLLONESHOT)",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "epoll_server",
        "poller.modify(fd, wanted)",
        "poller.register(fd, wanted)",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "epoll_server",
        "                conn.interest = wanted\n",
        "",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "epoll_server",
        "elif wanted != conn.interest:",
        "elif wanted & ~conn.interest:",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "epoll_server",
        "                poller.unregister(fd)\n"
        "                del connections[fd]\n"
        "                conn.sock.close()\n",
        "                conn.sock.close()\n"
        "                poller.unregister(fd)\n"
        "                del connections[fd]\n",
        "serves_one_client_after_another",
    ),
    # -- the edge-triggered loop
    Mutation(
        "epoll_edge_server",
        "poller.poll(0 if ready else None)",
        "poller.poll()",
        "answers_a_client_that_sends_and_finishes_at_once",
    ),
    Mutation(
        "epoll_edge_server",
        "poller.poll(0 if ready else None)",
        "poller.poll(0)",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "epoll_edge_server",
        "ready.update(fd for fd, _ in events)",
        "ready = {fd for fd, _ in events}",
        "answers_a_client_that_sends_and_finishes_at_once",
    ),
    Mutation(
        "epoll_edge_server",
        "for fd in list(ready):",
        "for fd in ready:",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "epoll_edge_server",
        "                ready.remove(fd)\n                continue",
        "                continue",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "epoll_edge_server",
        "poller.register(conn, READ | WRITE | select.EPOLLET)",
        "poller.register(conn, READ | WRITE)",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "epoll_edge_server",
        "moved = conn.wanted() & READ and conn.receive()",
        "moved = conn.receive()",
        "stops_reading_from_a_client_that_does_not_read",
    ),
    Mutation(
        "epoll_edge_server",
        "                ready.remove(fd)\n                poller.unregister(fd)",
        "                poller.unregister(fd)",
        "serves_one_client_after_another",
    ),
    Mutation(
        "epoll_edge_server",
        "            elif not moved:",
        "            else:",
        "answers_a_client_that_sends_and_finishes_at_once",
    ),
    # -- the coroutines, and what resumes them
    Mutation(
        "coroutine_server",
        "            while data := await recv(sock):",
        "            if data := await recv(sock):",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "coroutine_server",
        "data = data[sock.send(data) :]",
        'data = data[sock.send(data) :] and b""',
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "coroutine_server",
        "await until(WRITE)",
        "await until(READ)",
        "sleeps_while_a_half_closed_client_does_not_read",
    ),
    Mutation(
        "coroutine_server",
        "    with sock:\n",
        "    if sock:\n",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "coroutine_server",
        "except OSError:",
        "except ConnectionAbortedError:",
        "survives_a_client_that_resets",
    ),
    Mutation(
        "coroutine_server",
        "        await until(READ)\n        for conn",
        "        for conn",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "coroutine_server",
        "except StopIteration:",
        "except GeneratorExit:",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "coroutine_server",
        "                continue\n",
        "                return\n",
        "serves_one_client_after_another",
    ),
    Mutation(
        "coroutine_server",
        "poller.modify(fd, wanted)",
        "pass",
        "sleeps_while_a_client_does_not_read",
    ),
    Mutation(
        "coroutine_server",
        "                interest[fd] = wanted\n",
        "",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "coroutine_server",
        "if wanted != interest[fd]:",
        "if wanted > interest[fd]:",
        "sleeps_while_its_clients_are_silent",
    ),
    # -- what only another server shows
    Mutation(
        "connection",
        '# recv() returns b"" once the client has shut its side\n'
        "        except BlockingIOError:\n"
        "            return False",
        '# recv() returns b"" once the client has shut its side\n'
        "        except BlockingIOError:\n"
        "            raise",
        "serves_a_second_client_while_the_first_is_silent",
        server="nonblocking_server",
    ),
    # -- the ring
    Mutation(
        "io_uring_server",
        "elif result != -errno.ENOBUFS:",
        "else:",
        "serves_two_hundred_clients_in_any_order",
    ),
    Mutation(
        "io_uring_server",
        "elif operation == SEND and result >= 0:\n                    conn.sent(result)",
        'elif operation == SEND and result >= 0:\n                    conn.unsent = b""',
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "io_uring_server",
        "                elif conn.wanted():\n                    pool.receive(fd)",
        "                elif conn.wanted():\n                    pass",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "io_uring_server",
        "                    conn.lost()\n",
        "                    pass\n",
        "gives_its_descriptors_back",
    ),
    Mutation(
        "pool",
        "        self.give(number)\n        return data",
        "        return data",
        "serves_two_hundred_clients_in_any_order",
        server="io_uring_server",
    ),
    Mutation(
        "pool",
        "[number * SIZE : number * SIZE + length]",
        "[0:length]",
        "serves_two_hundred_clients_in_any_order",
        server="io_uring_server",
    ),
]

# What the suite cannot see, by the requirement that comes nearest, and why that is right.
HARMLESS = [
    Mutation(
        "connection",
        "        self.eof = False",
        "        self.eof = True",
        "answers_a_client_that_sends_and_finishes_at_once",
        why="nobody asks before the first receive(), and that says it anew",
    ),
    Mutation(
        "connection",
        "        self.interest = READ",
        "        self.interest = 0",
        "loses_nothing_when_the_client_reads_late",
        why="select() is told everything on every call; it keeps no interest",
    ),
    Mutation(
        "connection",
        "return 0 if self.eof else READ",
        "return 0 if self.eof else READ | WRITE",
        "sleeps_while_its_clients_are_silent",
        why="no loop that sleeps asks then; tests/test_connection.py does",
    ),
    Mutation(
        "connection",
        "READ, WRITE = 1, 4",
        "READ, WRITE = 4, 1",
        "sleeps_while_a_client_does_not_read",
        why="select() has two sets and no flags; the numbers are those of poll and epoll",
    ),
    Mutation(
        "connection",
        "else READ | WRITE",
        "else WRITE",
        "loses_nothing_when_the_client_reads_late",
        why="to stop reading before the high-water mark is backpressure as well",
    ),
    Mutation(
        "connection",
        'self.unsent, self.eof = b"", True',
        'self.unsent, self.eof = b"", False',
        "gives_its_descriptors_back",
        why="after a reset recv() says b'' at once, and so the end comes one turn later",
    ),
    Mutation(
        "accept",
        "TCP_NODELAY, 1)",
        "TCP_NODELAY, 0)",
        "does_not_stall_in_the_middle_of_an_answer",
        why="one recv() takes the whole message and one send() gives it back: nothing waits",
    ),
    Mutation(
        "accept",
        "        except ConnectionAbortedError:",
        "        except NotADirectoryError:",
        "survives_a_client_that_resets",
        why="Linux hands out a client that has reset; tests/test_accept.py raises it",
    ),
    Mutation(
        "accept",
        "(errno.EMFILE, errno.ENFILE)",
        "(errno.EMFILE,)",
        "goes_on_when_descriptors_run_out",
        why="no test can fill the file table of a machine; tests/test_accept.py raises it",
    ),
    Mutation(
        "accept",
        "            sock.close()  # nobody",
        "            pass  # nobody",
        "goes_on_when_descriptors_run_out",
        why="the bench leaves a descriptor for the spare; tests/test_accept.py does not",
    ),
    Mutation(
        "accept",
        "            yield Connection(sock)\n",
        "            yield Connection(sock)\n            break\n",
        "serves_two_hundred_clients_in_any_order",
        why="the listener stays readable, and the others are fetched in the next turns",
    ),
    Mutation(
        "select_server",
        "if conn.unsent:",
        "if True:",
        "sleeps_while_its_clients_are_silent",
        why="send(b'') sends nothing and harms nobody",
    ),
    Mutation(
        "select_server",
        "reading.add(conn.fileno())",
        "writing.add(conn.fileno())",
        "serves_two_hundred_clients_in_any_order",
        why="at once it is writable, and then wanted() puts it where it belongs",
    ),
    Mutation(
        "select_server",
        "                del connections[fd]\n",
        "",
        "serves_two_hundred_clients_in_any_order",
        why="the next client with this descriptor replaces it",
    ),
    Mutation(
        "poll_server",
        "poller.register(conn, conn.interest)",
        "poller.register(conn, conn.interest | select.POLLHUP | select.POLLERR)",
        "survives_a_client_that_resets",
        why="both are reported to everybody, asked for or not",
    ),
    Mutation(
        "poll_server",
        "elif wanted != conn.interest:",
        "else:",
        "loses_nothing_when_the_client_reads_late",
        why="modify() writes into a list of ours; only epoll makes it a system call",
    ),
    Mutation(
        "poll_server",
        "if event & READ:",
        "if True:",
        "answers_a_client_that_sends_and_finishes_at_once",
        why="recv() says EAGAIN, and the interest has changed by the next turn",
    ),
    Mutation(
        "poll_server",
        "poller.poll()",
        "poller.poll(100)",
        "sleeps_while_its_clients_are_silent",
        why="who keeps time as well wakes up now and then: ten times a second costs nothing",
    ),
    Mutation(
        "epoll_server",
        "                poller.unregister(fd)\n",
        "",
        "serves_two_hundred_clients_in_any_order",
        why="close() takes it off the list when no copy of the descriptor is left: epoll(7)",
    ),
    Mutation(
        "epoll_server",
        "poller.poll()",
        "poller.poll(maxevents=1)",
        "serves_a_quiet_client_beside_a_flood",
        why="who has been reported goes to the end of the kernel's list, and the others follow",
    ),
    Mutation(
        "epoll_server",
        "select.epoll()",
        "select.epoll(1)",
        "serves_two_hundred_clients_in_any_order",
        why="Linux has ignored the size since 2.6.8: epoll_create(2)",
    ),
    Mutation(
        "epoll_edge_server",
        "moved = conn.send() or moved",
        "moved = conn.send()",
        "sends_back_a_message_longer_than_the_buffers",
        why="who could not send is named again as soon as there is room",
    ),
    Mutation(
        "epoll_edge_server",
        "poller.register(listener, READ | select.EPOLLET)",
        "poller.register(listener, READ)",
        "serves_two_hundred_clients_in_any_order",
        why="the queue is emptied each time, and an empty one is reported in neither way",
    ),
    Mutation(
        "coroutine_server",
        "                del coroutines[fd], interest[fd]\n",
        "",
        "serves_one_client_after_another",
        why="the next client with this descriptor replaces both",
    ),
]


def label(mutation):
    words = " ".join(f"{mutation.old} -> {mutation.new}".split())
    return f"{mutation.module}: {words}"


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected", "impatient")
@pytest.mark.parametrize("mutation", FAULTS, ids=label)
def test_fault_is_caught_by_what_it_breaks(mutation):
    """A suite that passes a broken server proves nothing about a good one."""
    with pytest.raises(Failed):
        examine(mutation.serve(), REQUIREMENTS[mutation.caught_by])


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected")
def test_small_sends_stall_without_nodelay():
    """It takes two lines: crumbs, and Nagle's algorithm, which keeps the second one back."""
    changes = (
        Change("connection", "RECV_SIZE = 256 * 1024", "RECV_SIZE = 6000"),
        Change("accept", "TCP_NODELAY, 1)", "TCP_NODELAY, 0)"),
    )
    serve = zoo.derive("crumbs", "select_server", changes).serve
    with pytest.raises(Failed):
        examine(serve, conformance.does_not_stall_in_the_middle_of_an_answer)


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("mutation", HARMLESS, ids=label)
def test_change_that_breaks_nothing_passes(mutation):
    """It stays here with its reason: the day it is caught, one of both is wrong."""
    assert mutation.why
    examine(mutation.serve(), REQUIREMENTS[mutation.caught_by])


def test_each_requirement_has_its_fault():
    """Or nobody would notice if it could not fail."""
    caught = {mutation.caught_by for mutation in FAULTS}
    caught |= {animal.caught_by for animal in zoo.ANIMALS.values()}
    assert set(REQUIREMENTS) - caught == {"does_not_stall_in_the_middle_of_an_answer"}


def test_there_are_enough_and_none_is_there_twice():
    """Neither here nor as an animal of the zoo."""
    changes = [(mutation.change,) for mutation in [*FAULTS, *HARMLESS]]
    changes += [animal.changes for animal in zoo.ANIMALS.values()]
    assert len(set(changes)) == len(changes)
    assert len(FAULTS) >= 30
