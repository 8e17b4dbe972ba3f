"""Animals made of the select server."""

from echo.lab.zoo.animal import TRY_FIRST, Animal
from echo.lab.zoo.changes import Change

SELECT: dict[str, Animal] = {
    "plain_select": Animal(
        "select_server",
        "The first stage: it receives, asks for writability, and sends on the next turn.",
        (Change("select_server", TRY_FIRST, "if fd in writable:"),),
    ),
    "asks_always": Animal(
        "select_server",
        "Asks whether its clients are writable even when it owes them nothing.",
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

            wanted = conn.wanted()
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
        "Passes every descriptor to select(), which cannot take one above 1023.",
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
        "Keeps what it owes in an attribute of the class, which all clients share.",
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
