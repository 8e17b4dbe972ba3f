"""The check of two exercises on event loops.

check_loop(serve)          # serve(listener, limit): closes each client after `limit` seconds
check_loop(WakingLoop)     # a loop that other threads can wake
"""

import inspect
from typing import Any

from echo.lab.display import say
from echo.lab.exercises.timers import check_timers
from echo.lab.exercises.waking import check_waking


def check_loop(answer: Any) -> None:
    """Judge a server with timers, which is a function, or a loop to be woken, which is a class."""
    if inspect.isclass(answer):
        check_waking(answer)
    elif inspect.isfunction(answer):
        check_timers(answer)
    else:
        say("open", "check_loop() takes the function, or the class, by its name.")
