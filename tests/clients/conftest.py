"""What tests of clients share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.typescript import compiled


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client in TypeScript, compiled."""
    return compiled(tmp_path_factory.mktemp("typescript"))
