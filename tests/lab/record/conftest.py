"""What each test of this room leaves as it was."""

import pytest

from echo.lab import trace


@pytest.fixture(autouse=True)
def modules_are_as_before():
    """Each test leaves the real functions in their places."""
    before = [getattr(module, name) for name, module in trace.HOME.items()]
    yield
    assert [getattr(module, name) for name, module in trace.HOME.items()] == before
