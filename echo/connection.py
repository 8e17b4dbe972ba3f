"""One client of an echo server: the bytes it sent us that we have not yet sent back.

A Connection never waits; that is the server's job.  It is the same for select, poll and epoll:
wanted() returns the events to wait for next, as flags.  On Linux, poll and epoll number them alike.

    client --- recv() --->  unsent  --- send() ---> client
            receive()                  send()
"""

READ, WRITE = 1, 4  # POLLIN and POLLOUT, EPOLLIN and EPOLLOUT
RECV_SIZE = 256 * 1024  # the most that one recv() may return
HIGH_WATER = 256 * 1024  # once we owe a client this much, we stop reading from it


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
            self.unsent += data  # these two lines are received(), inlined
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
        """The events to wait for next; 0 when we are done with this client."""
        if not self.unsent:
            return 0 if self.eof else READ
        return WRITE if self.eof or len(self.unsent) >= HIGH_WATER else READ | WRITE

    # What each outcome means.  A server that does its own I/O calls these three (io_uring_server).
    # receive() and send() repeat received() and sent(): that saves two Python calls per echo.

    def received(self, data):
        self.unsent += data
        self.eof = not data

    def sent(self, count):
        self.unsent = self.unsent[count:]

    def lost(self):
        self.unsent, self.eof = b"", True
