"""A requirement of an exercise: where a server stops reading from a client that does not read."""

from echo.lab.conformance.catalog import Requirement, required
from echo.lab.conformance.subject import BUFFER, Subject

ONE_MORE = 3 * BUFFER  # bytes: more than one recv() brings while the kernel's buffers are small
AGAIN = """
import select
from echo.lab import Tape, queues, start
tape = Tape()
server = start({}, tape, buffer=16384)
client = server.connect()
count = 0
while count < 20_000_000 and select.select([], [client], [], 1)[1]:
    count += client.send(bytes(10_000))
ends = queues(client), queues(server.accepted()[0])
print(count - sum(end.unread + end.unacknowledged for end in ends), 'bytes are in the server')
""".strip()


def stops_reading_at(mark: int) -> Requirement:
    """That a server reads from one client until it holds `mark` bytes of it, and no further.

    It may hold what one more recv() brings.
    It is no part of the suite, because each server may have a mark of its own.
    """

    def judge(server: Subject) -> None:
        client = server.connect()
        took = len(client.stuffs())
        held = took - (server.server.kernel_holds(client.sock) or 0)
        server.expect(
            held < mark + ONE_MORE,
            f"{client.name} is owed {held:,} bytes, which the server itself holds",
        )
        server.expect(
            held >= mark,
            f"{client.name} is owed only {held:,} bytes, and the server has stopped reading",
        )

    judge.__name__ = f"stops reading at {mark:,} bytes owed"
    judge.__doc__ = "What a client does not read fills the memory of a server that reads on."
    return required(judge, AGAIN, BUFFER)
