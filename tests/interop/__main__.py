"""`make interop`: the matrix of client libraries and eras."""

from __future__ import annotations

import asyncio
import logging
import sys

from tests.interop.matrix import CHECKS, LIBRARIES, run, site


async def main() -> int:
    """0 when everything holds."""
    logging.disable(logging.INFO)  # the server's own
    columns = [*CHECKS, "in its era"]
    print(f"{'':36}" + "".join(f"{name:12}" for name in columns))
    good = True
    async with site() as gate:
        for library in LIBRARIES:
            if library.missing:
                print(library.missing)
                continue
            for era in library.eras:
                held = await run(library, era, gate)
                good &= all(held.values())
                marks = "".join(f"{'yes' if held[name] else 'NO':12}" for name in columns)
                print(f"{library.name + ', ' + era:36}{marks}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
