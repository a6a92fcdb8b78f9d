"""Real client libraries, in every era they speak: list, call, read a denial, go on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.gateway import Gateway
from tests.interop.matrix import LIBRARIES, Library, run, site

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROWS = [(library, era) for library in LIBRARIES for era in library.eras]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate() -> AsyncIterator[Gateway]:
    async with site() as one:
        yield one


@pytest.mark.parametrize(("library", "era"), ROWS, ids=[f"{row.name}, {era}" for row, era in ROWS])
async def test_a_client_library_lists_calls_reads_a_denial_and_goes_on(
    gate: Gateway, library: Library, era: str
) -> None:
    """Each in an environment of its own."""
    if library.missing:
        pytest.skip(library.missing)
    held = await run(library, era, gate)
    assert all(held.values()), held
