"""The embedded broker is held to the contract that real Kafka keeps, but for what is known to be lacking."""

from collections.abc import Callable, Iterator

import pytest

from streams.embedded import EmbeddedBroker
from tests.broker_contract import CONTRACT, EMBEDDED_BROKER_LACKS

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker.start(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.mark.parametrize(
    "check", [check for check in CONTRACT if check not in EMBEDDED_BROKER_LACKS], ids=lambda check: check.__name__
)
def test_the_contract(broker: EmbeddedBroker, check: Callable[[str], None]) -> None:
    check(broker.bootstrap)
