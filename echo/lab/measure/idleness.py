"""How often the threads of an idle server are woken.

with crowd(server, 300):
    wake_ups(server)                 # 0
"""

import time

from echo.lab.run.rest import Restless, settle_patiently

TRIES = 5


def wake_ups(server: Restless, seconds: float = 0.5) -> int:
    """How often the server's threads have gone to sleep again within so many seconds.

    Whoever is woken goes to sleep again (proc(5), voluntary_ctxt_switches).  A signal that stops
    this whole process and lets it go on wakes all threads too.  So where more time has passed
    than was meant to, it is measured again, up to 5 times, and the smallest count is returned.
    """
    counts = []
    for _ in range(TRIES):
        settle_patiently(server)
        began, before = time.monotonic(), server.times_slept()
        time.sleep(seconds)
        counts.append(server.times_slept() - before)
        if time.monotonic() - began < 2 * seconds:
            break
    return min(counts)
