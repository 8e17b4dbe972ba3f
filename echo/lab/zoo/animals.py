"""The catalogue: what is wrong with each animal, or slow, and which requirement catches it.

The mistakes are those that people make.  Most servers on the web have several.
"""

from echo.lab.zoo.animal import Animal
from echo.lab.zoo.in_one_call import BLOCKING, COROUTINE, SIGIO
from echo.lab.zoo.of_epoll import EPOLL, EPOLL_EDGE
from echo.lab.zoo.of_io_uring import IO_URING
from echo.lab.zoo.of_poll import POLL
from echo.lab.zoo.of_select import SELECT

ANIMALS: dict[str, Animal] = (
    BLOCKING | SELECT | POLL | EPOLL | EPOLL_EDGE | SIGIO | COROUTINE | IO_URING
)
