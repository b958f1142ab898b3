"""What every test module shares: Hypothesis profiles, and logs as they are by default."""

from collections.abc import Iterator

import pytest
import structlog

from tests import hypothesis_profiles  # noqa: F401


@pytest.fixture(autouse=True)
def _default_logs() -> Iterator[None]:
    """The command line sets the level for its whole process, which here is everybody's."""
    yield
    structlog.reset_defaults()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that run real brokers come first: begun last, the longest of them would be waited for by an idle core."""
    slow = {item.path for item in items if item.get_closest_marker("integration")}
    items.sort(key=lambda item: item.path not in slow)
