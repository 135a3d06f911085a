# SPDX-License-Identifier: MIT
"""The option for full lengths, and which tests one process runs."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the proofs at full length (minutes to hours)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests of a file, which share what they build, in one process. Those in QEMU are a group of their own."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Tell whether full lengths are asked for."""
    return bool(request.config.getoption("--full"))
