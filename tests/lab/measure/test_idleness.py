"""How often the threads of a server are woken."""

import threading

import pytest

from echo import epoll_server, nonblocking_server, threaded_server
from echo.lab import crowd, start, wake_ups
from echo.lab.measure import idleness


@pytest.mark.timing
class TestWakeUps:
    def test_idle_threads_are_not_woken(self):
        with start(threaded_server.serve) as server, crowd(server, 50):
            assert len(server.tids()) == 51
            assert wake_ups(server, 0.1) == 0

    def test_each_message_wakes_one(self):
        """So a zero is not a counter that stands still."""
        with start(epoll_server.serve) as server, server.connect() as client:
            stop = threading.Event()

            def talk():
                while not stop.wait(0.01):
                    client.send(b"x")
                    client.recv(100)

            talker = threading.Thread(target=talk)
            talker.start()
            try:
                assert wake_ups(server, 0.5) >= 2
            finally:
                stop.set()
                talker.join()

    def test_is_measured_again_when_we_stood_still(self, monkeypatch):
        """A SIGSTOP of the whole process would look like many wake-ups."""
        slept, clock = iter([0, 300, 300, 300]), iter([0.0, 20.0, 20.0, 20.1])

        class Server:
            def times_slept(self):
                return next(slept)

        monkeypatch.setattr(idleness, "settle_patiently", lambda server: None)
        monkeypatch.setattr(idleness.time, "monotonic", lambda: next(clock))
        monkeypatch.setattr(idleness.time, "sleep", lambda seconds: None)
        assert wake_ups(Server(), 0.1) == 0

    def test_who_never_sleeps_is_not_asked_forever(self):
        with start(nonblocking_server.serve) as server:
            assert wake_ups(server, 0.05) < 1000
