"""The buttons of a stepper, in JupyterLab."""

import contextlib
import html
from collections.abc import Callable
from typing import Any

from echo.lab.run.clients import reset
from echo.lab.run.ends import Client
from echo.lab.run.threads import Crashed
from echo.lab.words import amount


class Panel:
    """The stepper as buttons; its text, which is stored and compared, is look().

    Buttons send, close and reset for the clients that connect() has made, and for its own.
    Without ipywidgets only the text is there.
    """

    def __init__(self, stepper: Any) -> None:
        self.stepper = stepper
        self.own: list[Client] = []  # or they would be collected
        self.view: Any = None
        self.text = str(stepper.look())
        with contextlib.suppress(ImportError):
            self._build()

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = {} if self.view is None else dict(self.view._repr_mimebundle_())
        return {**bundle, "text/plain": self.text}

    def _build(self) -> None:
        import ipywidgets

        self.report = ipywidgets.HTML()
        self.chosen = ipywidgets.ToggleButtons(  # of a list, JupyterLab takes the arrow keys away
            description="From:",
            options=[],
            style={"button_width": "auto", "description_width": "3.5em"},
            layout={"width": "auto"},
        )
        self.message = ipywidgets.Text(
            "hello",
            description="Text:",
            style={"description_width": "3.5em"},
            layout={"width": "14em"},
        )
        actions = [
            ("Step", "one turn of the server's loop", self._step),
            ("Connect", "one client more", self._connect),
            ("Send", "the text, from the chosen client", self._send),
            ("Close", "the chosen client's socket", self._close),
            ("Reset", "the chosen client's connection", self._reset),
        ]
        made = [self._button(ipywidgets, *action) for action in actions]
        self.view = ipywidgets.VBox(
            [
                ipywidgets.HBox(made[:2]),
                self.chosen,
                ipywidgets.HBox([self.message, *made[2:]], layout=WRAPS),
                self.report,
            ]
        )
        self.refresh(self.text)

    def _button(self, ipywidgets: Any, name: str, tooltip: str, act: Callable[[], str]) -> Any:
        button = ipywidgets.Button(description=name, tooltip=f"{name}: {tooltip}")

        def pressed(_: Any) -> None:
            try:
                text = act()
            except (Crashed, OSError, RuntimeError) as error:
                text = f"{name} was not possible: {error}"
            self.refresh(text)

        button.on_click(pressed)
        return button

    def refresh(self, text: str) -> None:
        """Show a text, and which clients there are now."""
        self.text = text
        if self.view is None:
            return
        self._offer(self.chosen.value)
        self.report.value = REPORT.format(html.escape(text))

    def _offer(self, chosen: Client | None) -> None:
        """Put every client on the list, and choose this one, or else the latest."""
        options = self._clients()
        if list(self.chosen.options) != options:
            self.chosen.options = options
        known = [client for _, client in options]
        self.chosen.value = chosen if chosen in known else known[-1] if known else None

    def _clients(self) -> list[tuple[str, Client]]:
        """Pairs of what the server calls a client, or will, and the client's own socket."""
        server = self.stepper.server
        assert server is not None
        known = {}
        for sock in server.accepted():
            with contextlib.suppress(OSError):
                known[sock.getpeername()] = getattr(sock, "who", "client")
        waiting = 0
        pairs = []
        for client in server.clients():
            with contextlib.suppress(OSError):
                role = known.get(client.getsockname())
                if role is None:
                    waiting += 1
                    role = f"client {server.arrived + waiting}"
                pairs.append((role, client))
        return pairs

    # -- what the buttons do ---------------------------------------------------------------

    def _step(self) -> str:
        return str(self.stepper.step())

    def _connect(self) -> str:
        server = self.stepper._checked()
        self.own.append(server.connect())
        self._offer(self.own[-1])
        return f"{self._name(self.own[-1])} has connected\n{self.stepper.look()}"

    def _send(self) -> str:
        client, name = self._one()
        data = self.message.value.encode()
        count = client.send(data) if data else 0
        return f"{name} has sent {amount(count, 'byte')}\n{self.stepper.look()}"

    def _close(self) -> str:
        client, name = self._one()
        client.close()
        return f"{name} has closed its socket\n{self.stepper.look()}"

    def _reset(self) -> str:
        client, name = self._one()
        reset(client)
        return f"{name} has reset its connection\n{self.stepper.look()}"

    def _one(self) -> tuple[Client, str]:
        client = self.chosen.value
        if client is None:
            raise RuntimeError("there is no client; press Connect")
        return client, self._name(client)

    def _name(self, client: Client) -> str:
        return next((name for name, one in self._clients() if one is client), "a client")


# aria-live: a screen reader says what a button has done.  The colours are JupyterLab's own.
REPORT = """<pre role="status" aria-live="polite" aria-label="What the server did"
style="margin: 0; padding: .5em 0; line-height: 1.4; white-space: pre-wrap; background: none;
color: var(--jp-content-font-color1, inherit)">{}</pre>"""
WRAPS = {"flex_flow": "row wrap"}
