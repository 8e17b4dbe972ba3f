"""Wrong answers to each exercise of 02_tcp_basics, and what the learner is told."""

WRONG = {
    1: [
        (
            """
def read_exactly(sock, n):
    return sock.recv(n)
""",
            "expected  b'hello'\n      came      b'he'",
        ),
        (
            """
def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        piece = sock.recv(4096)
        if not piece:
            raise EOFError
        data += piece
    return data[:n]
""",
            "expected  b', '\n      came      b'rl'",
        ),
        (
            """
def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        data += sock.recv(n - len(data))
    return data
""",
            "came      RuntimeError: recv() has returned b'' 100 times: nothing more will come",
        ),
    ],
    2: [
        (
            "line = 16",
            'no   line 16: echo(guests[-1])\n\nNot yet. "A connection lives at two ends" shows',
        ),
        ("line = 9", "no   line 9: guests = []"),
    ],
    3: [
        (
            'answer = [b"too long", b"", b""]',
            "no   [b'too long', b'', b'']\n\nNot yet: 1 of 1 is missing.",
        ),
        (
            'answer = ["ECONNRESET", b"", b""]',
            '"Each direction ends by itself" shows why.',
        ),
    ],
}
