"""What a machine cannot do is skipped, and said."""

import pytest

from echo.ring import Ring

WITHOUT_A_RING = {"test_floors", "test_house"}  # they read files


def pytest_collection_modifyitems(items):
    try:
        Ring().close()
    except OSError as error:
        skip = pytest.mark.skip(reason=error.strerror)
        for item in items:
            runs = item.module.__name__ not in WITHOUT_A_RING if item.module else False
            if runs and "io_uring" in item.name:
                item.add_marker(skip)
