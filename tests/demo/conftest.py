from collections.abc import Iterator

import pytest

from tests.demo import running
from tests.demo.receiver import receiving


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Shop]:
    with receiving() as received, running.shop(tmp_path_factory.mktemp("shop"), received) as started:
        yield started
