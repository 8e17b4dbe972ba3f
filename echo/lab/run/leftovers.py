"""What is still there: servers, their threads, sockets."""

import socket

from echo.lab.notebook import sockets_of_the_notebook
from echo.lab.run.ends import is_open, open_ones
from echo.lab.run.server import all_clients, servers
from echo.lab.words import amount


def leftovers(stop: bool = False) -> None:
    """Print how many threads and sockets of ours are still there, and which.

    With `stop`, first end every server and close every socket that start() and connect()
    have made or that a variable of the notebook holds.
    """
    if stop:
        for server in list(servers):
            server.end()
        for sock in [*sockets_of_the_notebook(), *open_ones(all_clients)]:
            socket.socket.close(sock)
    for server in list(servers):
        if server.stopping and server.ended:  # it has taken its time
            server.end()
    threads = [thread for server in servers for thread in server.threads.running()]
    sockets = {*sockets_of_the_notebook(), *open_ones(all_clients)}
    for server in servers:
        sockets.update([server.listener, *server.accepted()])
    count = sum(map(is_open, sockets))
    print(f"{amount(len(threads), 'thread')}, {amount(count, 'socket')} left")
    for server in servers:
        how = f"has ended: {server.crash}" if server.crash else f"is {server.where_is()}"
        print(f"the {server.name} server {how}")
