"""An asyncio loop in a thread of its own, for the notebook's kernel runs one in its main thread.

with asyncio_loop() as loop:
    loop.run(one(), two())        # run coroutines side by side, and return what they return
    loop.begin(one(), two())      # the same, without waiting for them
    where_is(loop.thread)
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

from echo.lab.kernel.sleep import NotTold, asleep, times_slept
from echo.lab.run.rest import PATIENCE

WITHOUT_END = 30.0  # seconds after which run() gives up
Coroutines = Coroutine[Any, Any, Any]


class Looping:
    """A loop that runs in `thread`; made by asyncio_loop()."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.begun: list[asyncio.Task[Any] | None] = []  # one for each call of begin()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.settle()

    def begin(self, *coroutines: Coroutines) -> "Future[list[Any]]":
        """Let each run as a task of this loop."""

        async def together() -> list[Any]:
            self.begun.append(asyncio.current_task())
            return list(await asyncio.gather(*coroutines))

        return asyncio.run_coroutine_threadsafe(together(), self.loop)

    def run(self, *coroutines: Coroutines) -> Any:
        """Let each run as a task of this loop until all have returned; what they returned.

        Raises TimeoutError if that takes more than half a minute.
        """
        found = self.begin(*coroutines).result(WITHOUT_END)
        return found[0] if len(coroutines) == 1 else found

    def call_soon(self, function: Callable[..., object], *arguments: Any) -> None:
        """As asyncio has it: for the loop's own thread only."""
        self.loop.call_soon(function, *arguments)

    def call_soon_threadsafe(self, function: Callable[..., object], *arguments: Any) -> None:
        self.loop.call_soon_threadsafe(function, *arguments)

    def timers(self) -> list[float]:
        """Seconds until each timer is due, in the order in which the loop keeps them."""
        handles: list[asyncio.TimerHandle] = getattr(self.loop, "_scheduled")  # noqa: B009
        return [handle.when() - self.loop.time() for handle in handles]

    # -- what the instruments ask ---------------------------------------------------------

    def tids(self) -> list[int]:
        return [self.thread.native_id] if self.thread.native_id else []

    def times_slept(self) -> int:
        return sum(map(times_slept, self.tids()))

    def cpu(self) -> float:
        return time.clock_gettime(time.pthread_getcpuclockid(self.thread.ident or 0))

    def settle(self, patience: float = PATIENCE) -> None:
        """Return when the loop sleeps; raises TimeoutError after `patience` seconds."""
        deadline = time.monotonic() + patience
        with contextlib.suppress(NotTold):
            while (sleep := asleep(self.tids()[0])) is None or sleep.call != "epoll_wait":
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the loop is still busy after {patience:g} seconds")

    def end(self) -> None:
        """Cancel what still runs, stop the loop and close it."""

        async def cancel(tasks: set[Any]) -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        async def finish() -> None:
            await cancel({task for task in self.begun if task})  # and so all that they wait for
            await cancel(asyncio.all_tasks() - {asyncio.current_task()})

        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(finish(), self.loop).result(PATIENCE)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        if not self.thread.is_alive():
            self.loop.close()


@contextlib.contextmanager
def asyncio_loop() -> Iterator[Looping]:
    """Inside the block an asyncio loop runs in a thread of its own; afterwards it has ended."""
    looping = Looping()
    try:
        yield looping
    finally:
        looping.end()
