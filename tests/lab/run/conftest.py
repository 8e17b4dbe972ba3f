"""Each test of this room leaves nothing behind."""

import pytest


@pytest.fixture(autouse=True)
def tidy(nothing_is_left):
    pass
