"""Answers to each exercise of 02_tcp_basics: right ones, and wrong ones with what is said."""

GUESTS = """
guests = []


def serve(listener):
    while True:
        sock, _ = listener.accept()
        guests.append(sock)
        while data := sock.recv(65536):
            sock.sendall(data)
        {}
"""
CLIENT = """
client_got = []
with listen() as door:
    client = socket.create_connection(door.getsockname(), timeout=5)
    client.send(bytes(1000))
    with door.accept()[0] as conn:
        conn.recv(100)
        conn.send(b"too long")
for _ in range(3):
    try:
        client_got.append(client.recv(100))
    except OSError as error:
        client_got.append(errno.errorcode[error.errno])

my_prediction = {}
"""

RIGHT = {
    1: [
        """
def read_exactly(sock, n):
    data = sock.recv(n, socket.MSG_WAITALL)
    if len(data) < n:
        raise EOFError
    return data
""",
        """
def read_exactly(sock, n):
    pieces = []
    while n > 0:
        pieces.append(sock.recv(n))
        if pieces[-1] == b"":
            raise EOFError("too early")
        n -= len(pieces[-1])
    return b"".join(pieces)
""",
    ],
    2: [GUESTS.format("guests.pop().close()"), GUESTS.format("guests.remove(sock); del sock")],
    3: [
        CLIENT.format('[b"too long", "ECONNRESET", b""]'),
        CLIENT.format('[b"too " + b"long", errno.errorcode[errno.ECONNRESET], bytes()]'),
        CLIENT.format('b"too long", "ConnectionResetError", b""'),
        CLIENT.format('[b"too long", ConnectionResetError, b""]'),
    ],
}

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
        (
            """
def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            return EOFError
        data += piece
    return data
""",
            "expected  EOFError\n      came      <class 'EOFError'>",
        ),
    ],
    2: [
        (GUESTS.format("sock.shutdown(socket.SHUT_RDWR)"), "expected  0\n      came      3"),
        (GUESTS.format("guests.remove(sock)"), "client 1 expects   b'': the end"),
        (GUESTS.format("sock.send(b'')"), "FAIL  closes when the client has finished"),
    ],
    3: [
        (CLIENT.format('[b"too long", b"", b""]'), "no   [b'too long', b'', b'']"),
        (CLIENT.format('["ECONNRESET", b"", b""]'), "no   ['ECONNRESET', b'', b'']"),
        (
            CLIENT.format('[b"too long", "ECONNRESET", "ECONNRESET"]'),
            '"Each direction ends by itself" shows why.',
        ),
    ],
}
