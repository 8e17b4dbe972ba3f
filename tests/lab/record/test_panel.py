"""The stepper's buttons do what its methods do, and have names."""

import sys

import pytest


@pytest.fixture
def press(stepped):
    """A server, and a function that presses a button by its name."""
    pytest.importorskip("ipywidgets")
    stepper, server = stepped("select")
    panel = stepper.buttons()

    first, _, second, _ = panel.view.children
    controls = [*first.children, *second.children]
    named = {one.description: one for one in controls if hasattr(one, "click")}

    def click(name):
        named[name].click()
        return panel.text

    click.panel, click.server, click.stepper = panel, server, stepper
    yield click
    panel.view.close()


def test_buttons_tell_a_whole_story(press):
    assert press("Step").startswith("no turn")
    assert press("Connect").startswith("client 1 has connected\nbefore turn 1")
    assert press("Step").startswith("turn 1 of the select server")
    assert press("Send").startswith("client 1 has sent 5 bytes\nbefore turn 2")
    assert "recvfrom(client 1) = 5" in press("Step")
    assert press("Connect").startswith("client 2 has connected")
    assert press("Step").startswith("turn 3")
    assert press("Reset").startswith("client 2 has reset its connection")
    assert "it has reset the connection" in press("Step")
    assert press("Close").startswith("client 1 has closed its socket")
    assert "close(client 1) = 0" in press("Step")
    assert press("Send") == "Send was not possible: there is no client; press Connect"
    press.server.stop()
    assert press("Step") == "Step was not possible: the select server has been stopped"


def test_panel_follows_what_the_cells_do(press):
    client = press.server.connect()
    turn = press.stepper.step()
    assert press.panel.text == str(turn)
    assert [name for name, _ in press.panel.chosen.options] == ["client 1"]
    assert press.panel.chosen.value is client
    assert "accept4(listener) = client 1" in press.panel.report.value


def test_text_twin_of_the_buttons_is_the_look(press):
    bundle = press.panel._repr_mimebundle_()
    assert bundle["text/plain"] == str(press.stepper.look())
    assert set(bundle) == {"text/plain", "application/vnd.jupyter.widget-view+json"}


def test_every_control_has_a_name(press):
    for control in (press.panel.chosen, press.panel.message):
        assert control.description
    assert 'aria-live="polite"' in press.panel.report.value


def test_without_ipywidgets_the_text_is_there(stepped, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    stepper, _ = stepped("select")
    assert stepper.buttons()._repr_mimebundle_() == {"text/plain": str(stepper.look())}
