"""leftovers() counts, names and ends what a notebook has left."""

import socket

from echo import select_server
from echo.lab import leftovers, start


def test_leftovers_count_and_name_what_is_there(printed):
    """The server's thread; its listener, the client's socket and the server's end of it."""
    server = start(select_server.serve)
    client = server.connect()
    leftovers()
    assert printed() == ("1 thread, 3 sockets left\nthe select server is asleep in pselect6\n")
    leftovers(stop=True)
    assert printed() == "0 threads, 0 sockets left\n"
    assert client.fileno() < 0


def test_leftovers_close_sockets_that_the_notebook_holds(notebook, printed):
    """Plain ones as well, in a variable or in a list of them."""
    plain = [socket.socket(), socket.socket()]
    notebook.names.update(one=socket.socket(), more={"some": plain}, same=plain)
    leftovers()
    assert printed() == "0 threads, 3 sockets left\n"
    leftovers(stop=True)
    assert printed() == "0 threads, 0 sockets left\n"


def test_leftovers_find_clients_of_a_server_that_has_ended(printed):
    """After an error they hang on in the frames of its traceback, and nobody can name them."""
    with start(select_server.serve) as server:
        hidden = [server.connect()]
    leftovers()
    assert printed() == "0 threads, 1 socket left\n"
    leftovers(stop=True)
    assert hidden[0].fileno() < 0
    assert printed() == "0 threads, 0 sockets left\n"
