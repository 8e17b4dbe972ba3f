"""Answers to each exercise of 00_start_here: right ones, and wrong ones with what is said."""

RIGHT = {
    1: [
        "my_choice = nonblocking_server.serve",
        "from echo.threaded_server import serve as my_choice",
    ],
    2: [
        """
def serve(listener):
    while True:
        sock, _ = listener.accept()
        data = b"-"
        while data:
            data = sock.recv(65536)
            sock.sendall(data)
        sock.close()
""",
        """
def serve(listener):
    while True:
        sock, _ = listener.accept()
        for data in iter(lambda: sock.recv(1), b""):
            sock.send(data)
        sock.close()
""",
    ],
    3: ['missing, waits_for = "SENDTO", "Client 1"', 'missing, waits_for = ["sendto", "client 1"]'],
}

WRONG = {
    1: [
        (
            """
my_choice = blocking_server.serve
""",
            "the server is asleep in recvfrom, waiting for client 1",
        ),
        (
            """
my_choice = threaded_server
""",
            "check() takes the function serve(listener): threaded_server.serve",
        ),
        (
            """
def my_choice(listener):
    return threaded_server
""",
            "serve() returned; a server must keep running",
        ),
    ],
    2: [
        (
            """
def serve(listener):
    while True:
        sock, _ = listener.accept()
        data = sock.recv(1000)
        sock.sendall(data)
        sock.close()
""",
            "client 1 expects   b'\\x00'",
        ),
        (
            """
def serve(listener):
    while True:
        sock, _ = listener.accept()
        while True:
            sock.sendall(sock.recv(1000))
        sock.close()
""",
            "FAIL  closes when the client has finished",
        ),
        (
            """
def serve(listener):
    sock, _ = listener.accept()
    while data := sock.recv(1000):
        sock.sendall(data)
    sock.close()
""",
            "serve() returned; a server must keep running",
        ),
    ],
    3: [
        (
            'missing, waits_for = "recvfrom", "client 1"',
            "no   recvfrom\nyes  client 1\n\nNot yet: the first is wrong.",
        ),
        (
            'missing, waits_for = "sendto", "listener"',
            "yes  sendto\nno   listener\n\nNot yet: the second is wrong.",
        ),
        ('missing, waits_for = "sendto", "the client"', "no   the client"),
        (
            'missing, waits_for = "client 1", "sendto"',
            "no   client 1\nno   sendto\n\nNot yet: the first and the second are wrong.",
        ),
        (
            'missing, waits_for = "sendto", "recvfrom"',
            "yes  sendto\nno   recvfrom\n\nNot yet: the second is wrong.",
        ),
    ],
}
