"""One line of our own code made wrong."""

from typing import NamedTuple

from echo.lab import zoo
from echo.lab.zoo import Change


class Mutation(NamedTuple):
    """In echo/<module>.py, `old` becomes `new`: `caught_by` a requirement; or not, and `why`."""

    module: str
    old: str
    new: str
    caught_by: str = ""
    why: str = ""
    server: str = ""  # if it is another than the one that is changed, or select_server

    @property
    def change(self):
        return Change(self.module, self.old, self.new)

    def serve(self):
        own = self.module if self.module.endswith("_server") else "select_server"
        return zoo.derive("mutation", self.server or own, (self.change,)).serve
