"""Two wrong answers to each exercise of 00_start_here, and what the learner is told."""

WRONG = {
    1: [
        (
            """
serve = blocking_server.serve
""",
            "the server is asleep in recvfrom, waiting for client 1",
        ),
        (
            """
serve = threaded_server
""",
            "check() takes the function serve(listener): threaded_server.serve",
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
            "serve() returned, but a server runs for ever",
        ),
    ],
    3: [
        (
            'missing, waits_for = "recvfrom", "client 1"',
            "no   recvfrom\nyes  client 1\n\nNot yet: 1 of 2 is missing.",
        ),
        (
            'missing, waits_for = "sendto", "listener"',
            "yes  sendto\nno   listener\n\nNot yet: 1 of 2 is missing.",
        ),
    ],
}
