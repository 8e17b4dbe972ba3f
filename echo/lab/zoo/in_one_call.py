"""Animals of servers that wait in one call for one client, or for a signal, or by `await`."""

from echo.lab.zoo.animal import Animal
from echo.lab.zoo.changes import Change

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
        with accept(listener) as sock:  # sleeps until a client connects
            echo(sock)
""",
                """\
        guests.append(accept(listener))  # sleeps until a client connects
        echo(guests[-1])
""",
            ),
        ),
        caught_by="closes_when_the_client_has_finished",
        fault=("guests.append(accept(listener))  # sleeps until a client connects\n",),
    ),
    "hears_them_out": Animal(
        "blocking_server",
        "Answers only after its client has finished sending, and some wait for the answer first.",
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

SIGIO: dict[str, Animal] = {
    "one_for_each_signal": Animal(
        "sigio_server",
        "Serves one client for each signal, but one signal may stand for several clients.",
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
        "Calls a coroutine function without `await`: the coroutine that would send never begins.",
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
