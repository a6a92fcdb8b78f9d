"""Asks an MCP server for its tools, or reads an answer that was saved. Edge.

Nothing is judged here, and nothing left out; what the list means is found by `classify` and `signs`.
"""

from __future__ import annotations

from pathlib import Path

from pdp.api import strict_json
from pep.config import Server
from tipstaff.cli.errors import ListingError
from tipstaff.survey.asking.listing import Listing, listing_of

__all__ = ("Listing", "introspect", "read_listing")


async def introspect(server: Server, *, seconds: float = 30.0) -> Listing:
    """The current listing of `server`, within `seconds`; its references are resolved (`secret`).

    A server with a command is started for it and ended for certain, which may take some seconds
    more; one that ends before it has said anything is started once again, to be asked the old way.
    Raises `IntrospectionError`.
    """
    # The MCP SDK takes half a second to import: only who asks a server waits for it.
    from tipstaff.survey.asking import by_command, by_url

    ask = by_url.ask if server.url else by_command.ask
    return await ask(server, seconds)


def read_listing(path: Path) -> Listing:
    """A saved list of tools; raises `ListingError`.

    It may be `{"tools": […]}`, the whole JSON-RPC answer to tools/list, the tools alone as a list,
    or `{"initialize": {…}, "tools": […]}` with the answer to `initialize` beside them.
    """
    try:
        return listing_of(strict_json.loads(path.read_bytes(), strict_json.UNBOUNDED))
    except OSError as error:
        raise ListingError(f"{path}: cannot be read: {error.strerror}") from error
    except strict_json.StrictJsonError as error:
        raise ListingError(f"{path}: is not JSON: {error}") from error
    except ListingError as error:
        raise ListingError(f"{path}: {error}") from error
