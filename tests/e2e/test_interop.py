"""Real client libraries, in every era they speak: list, call, read a denial, go on."""

from __future__ import annotations

from tests.interop.matrix import LIBRARIES, run, site


async def test_every_client_library_lists_calls_reads_a_denial_and_goes_on() -> None:
    """Each in an environment of its own."""
    async with site() as gate:
        for library in LIBRARIES:
            for era in library.eras:
                held = await run(library, era, gate)
                assert all(held.values()), (library.name, era, held)
