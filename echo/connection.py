"""One client of an echo server: the bytes it sent us that we have not yet sent back.

A Connection never waits; that is the server's job.  It knows no model: wanted() says in
flags what to wait for next, and on Linux poll and epoll use the very same numbers.

    client --- recv() --->  unsent  --- send() ---> client
            receive()                  send()
"""

READ, WRITE = 1, 4  # POLLIN and POLLOUT, EPOLLIN and EPOLLOUT
RECV_SIZE = 256 * 1024  # the most we ask of one recv()
HIGH_WATER = 256 * 1024  # we stop reading from a client to whom we owe this much


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.unsent = b""
        self.eof = False  # the client has finished sending; it may still be reading
        self.interest = READ  # what the server waits for at the moment

    def fileno(self):
        return self.sock.fileno()

    def receive(self):
        """Take what has arrived.  False if nothing had: readiness is only a hint."""
        try:
            data = self.sock.recv(RECV_SIZE)
            self.unsent += data
            self.eof = not data  # recv() returns b"" once the client has shut its side
        except BlockingIOError:
            return False
        except OSError:  # a reset: there is nobody left to echo to
            self.lost()
        return True

    def send(self):
        """Give back what fits in the kernel's buffer.  False if nothing did."""
        try:
            count = self.sock.send(self.unsent)
            self.unsent = self.unsent[count:]  # usually nothing is left
        except BlockingIOError:
            return False
        except OSError:
            self.lost()
        return True

    def wanted(self):
        """The events to wait for next; 0 when we are done with this client.

        If nothing is owed and the client has not finished, that is READ: servers need not ask.
        """
        if not self.unsent:
            return 0 if self.eof else READ
        return WRITE if self.eof or len(self.unsent) >= HIGH_WATER else READ | WRITE

    # What each outcome means.  No I/O below this line.  receive() and send() repeat the lines of
    # received() and sent() instead of calling them: that saves two function calls per echo.

    def received(self, data):
        self.unsent += data
        self.eof = not data

    def sent(self, count):
        self.unsent = self.unsent[count:]

    def lost(self):
        self.unsent, self.eof = b"", True
