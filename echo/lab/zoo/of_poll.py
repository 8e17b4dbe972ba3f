"""Animals made of the poll server."""

from echo.lab.zoo.animal import IMPORT_BOTH, IMPORT_READ, TRY_FIRST, Animal
from echo.lab.zoo.changes import Change

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
        "Handles one of several flags that come together: it reads, or hangs up, or writes.",
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
        "Compares the flags with `==`, but several may come together.",
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
        "Asks for urgent data and does not take it, so poll() returns at once, forever.",
        (ASK_FOR_URGENT,),
        caught_by="sleeps_while_its_clients_are_silent",
        fault=("poller.register(conn, conn.interest | select.POLLPRI)\n",),
    ),
    "counts_in_seconds": Animal(
        "poll_server",
        "Waits a millisecond where it means a second: poll() counts in milliseconds.",
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
    "skips_the_unknown": Animal(
        "poll_server",
        "Leaves closed clients on the interest list, and ignores every report about them.",
        (
            Change("poll_server", "                poller.unregister(fd)\n", ""),
            Change(
                "poll_server",
                "            conn = connections[fd]\n",
                "            conn = connections.get(fd)\n"
                "            if conn is None:  # it has left\n"
                "                continue\n",
            ),
        ),
        caught_by="sleeps_when_clients_have_left",
        fault=("conn.sock.close()\n",),
    ),
    "reads_unasked": Animal(
        "poll_server",
        "Receives on every event, also where it asked for nothing but room to send.",
        (
            Change(
                "poll_server",
                "            if event & READ:\n                conn.receive()\n",
                "            conn.receive()  # False if nothing has come\n",
            ),
        ),
        caught_by="stops_reading_from_a_client_that_reads_slowly",
        fault=("conn.receive()  # False if nothing has come\n",),
    ),
}
