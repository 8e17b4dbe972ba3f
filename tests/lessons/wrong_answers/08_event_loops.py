"""Right answers to the exercises of 08_event_loops written otherwise, and wrong ones told why."""

LETTERS = """
async def nothing():
    pass


five = {{
    "a": lambda queue, done: nothing(),
    "b": lambda queue, done: asyncio.sleep(0),
    "c": lambda queue, done: queue.put("mine"),
    "d": lambda queue, done: queue.get(),
    "e": lambda queue, done: done,
}}
letters = {}
"""
SERVE = """
def serve(listener, limit=60):
    def remaining(timers):
        {remaining}

    listener.setblocking(False)
    poller, clients, timers = select.epoll(), {{}}, []
    poller.register(listener, READ)
    while True:
        for fd, _ in poller.poll(remaining(timers)):
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    clients[conn.fileno()] = conn
                    poller.register(conn, READ)
                    heapq.heappush(timers, (time.monotonic() + limit, conn.fileno(), conn))
                continue
            conn = clients[fd]
            conn.receive()
            conn.send()
            if wanted := conn.wanted():
                poller.modify(conn, wanted)
            else:
                clients.pop(fd).sock.close()
        while timers and timers[0][0] <= time.monotonic():
            _, fd, conn = heapq.heappop(timers)
            if clients.get(fd) is conn:
                {close}
"""
CLOSE = "clients.pop(fd).sock.close()"
LOOP = """
import socket


class WakingLoop:
    def __init__(self):
        self.poller, self.callbacks = select.epoll(), {{}}
        self.asked = collections.deque()
        {init}

    def watch(self, fd, callback):
        self.callbacks[fd] = callback
        self.poller.register(fd, READ)

    def run(self):
        while True:
            for fd, _ in self.poller.poll({timeout}):
                self.callbacks[fd]()
            {after}

    def answer(self):
        {answer}

    def call_from_thread(self, function):
        {call}
"""
BELL = "self.bell = os.eventfd(0); self.watch(self.bell, self.answer)"
READ_FIRST = "os.eventfd_read(self.bell)\n        while self.asked: self.asked.popleft()()"
RING = "self.asked.append(function); os.eventfd_write(self.bell, 1)"
NAMES = """
A = {!r}
B = {!r}
C = {!r}
D = {!r}
"""


def serve(remaining, close=CLOSE):
    return SERVE.format(remaining=remaining, close=close)


def loop(init=BELL, answer=READ_FIRST, call=RING, timeout="", after="pass"):
    return LOOP.format(init=init, answer=answer, call=call, timeout=timeout, after=after)


RIGHT = {
    1: [LETTERS.format('{"d", "b"}'), LETTERS.format('("b", "d")')],
    2: [
        serve("return -1 if not timers else max(0, timers[0][0] - time.monotonic())"),
        serve(
            "nearest = min((when for when, *_ in timers), default=None)\n"
            "        return nearest and max(0, nearest - time.monotonic())"
        ),
    ],
    3: [
        loop(
            init="self.inside, self.outside = socket.socketpair(); "
            "self.inside.setblocking(False); self.outside.setblocking(False); "
            "self.watch(self.inside.fileno(), self.answer)",
            answer="self.inside.recv(4096)\n        while self.asked: self.asked.popleft()()",
            call="self.asked.append(function)\n"
            "        with contextlib.suppress(BlockingIOError): self.outside.send(b'x')",
        ),
        loop(
            init="self.inside, self.outside = os.pipe(); self.watch(self.inside, self.answer)",
            answer="os.read(self.inside, 1); self.asked.popleft()()",
            call="self.asked.append(function); os.write(self.outside, b'x')",
        ),
    ],
    4: [
        NAMES.format(" Trio", "THREADED", "asyncio", "epoll_edge"),
        "A, B, C, D = 'trio', 'threaded', 'asyncio', 'epoll_edge'",
    ],
}

WRONG = {
    1: [
        (LETTERS.format('["a", "b", "d"]'), "no   a\nyes  b\nyes  d"),
        (LETTERS.format('["b", "c", "d", "e"]'), '"When await pauses" shows why.'),
        (LETTERS.format('["b"]'), "yes  b\n\nNot yet: 1 of 2 is missing."),
    ],
    2: [
        (serve("return 0.5"), "without a client there is no timer, and the kernel was told"),
        (
            serve("return 1 if timers else None"),
            "its only client may stay for an hour, and the kernel was told to wait for at most 1 ",
        ),
        (
            serve("return limit if timers else None"),
            "a client that has used up 0.3 seconds of its hour speaks, and then the kernel",
        ),
        (
            serve("return max(0, timers[-1][0] - time.monotonic()) if timers else None"),
            "of two clients, the second came 0.3 seconds later, and the kernel was told to wait",
        ),
        (
            serve("return timers[0][0] - time.monotonic() if timers else None"),
            "before it waited, and the kernel was told to wait without a limit",
        ),
        (serve("return timers[0][0] - time.monotonic()"), "IndexError: list index out of range"),
        (
            serve("return timers[0][0] if timers else None"),
            "its only client may stay for an hour, and the kernel was told to wait for at most",
        ),
        (serve("return 0 if timers else None"), "the server doesn't sleep in epoll_wait"),
        (serve("return None"), "the kernel was told to wait without a limit"),
        (
            serve("return max(0, timers[0][0] - time.monotonic()) if timers else None", "pass"),
            "a client may stay for 1 second, and it is still connected 5 seconds later",
        ),
    ],
    3: [
        (loop(call="self.asked.append(function)"), "nobody has woken it: the loop is still asleep"),
        (
            loop(answer="while self.asked: self.asked.popleft()()"),
            "FAIL  sleeps again\n\n      the loop is running; is what woke it",
        ),
        (loop(call="function()"), "the function ran in the thread that asked for it"),
        (
            loop(answer="os.eventfd_read(self.bell); self.asked.popleft()()"),
            "just before the loop read what had woken it; 1 of the 2 calls was made",
        ),
        (
            loop(
                answer="while self.asked: self.asked.popleft()()\n"
                "        os.eventfd_read(self.bell)"
            ),
            "just before the loop read what had woken it; 1 of the 2 calls was made",
        ),
        (
            loop(init="pass", call="self.asked.append(function)", timeout="0.01",
                 after="while self.asked: self.asked.popleft()()"),
            "FAIL  sleeps while there is nothing to do\n\n      the loop woke up more than once",
        ),
    ],
    4: [
        (NAMES.format("trio", "threaded", "epoll", "epoll_edge"), "Not yet: the third is wrong."),
        (NAMES.format("epoll_edge", "threaded", "asyncio", "trio"), "the first and the fourth"),
        (NAMES.format("trio", "blocking", "asyncio", "epoll_edge"), "no   blocking"),
    ],
}  # fmt: skip
