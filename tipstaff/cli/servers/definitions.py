"""Definitions of tools for the console, by what `tipstaff accept` does. Edge: files, and servers that are asked."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pdp.errors import PdpError
from tipstaff.cli.errors import TipstaffError
from tipstaff.cli.servers import accept, registry
from tipstaff.cli.servers.accept import Compared
from tipstaff.console.definitions import Change, DefinitionError
from tipstaff.survey import pins
from tipstaff.survey.report import SurveyedTool
from tipstaff.survey.showing import wording

_SECONDS = 15.0


class SiteDefinitions:
    """Those of the servers that a configuration registers."""

    def __init__(self, config: Path) -> None:
        """Read `config` anew for each question."""
        self._config = config
        # A server is asked by one person at a time: a page that is loaded again and again starts no crowd.
        self._asking = threading.Lock()

    def change(self, server: str, tool: str) -> Change:
        """What has changed of a tool; raises `DefinitionError`."""
        compared, listed = self._listed(server, tool)
        before: Mapping[str, Any] = compared.before["tools"].get(tool, {})
        classification = listed.classification
        return Change(
            server=server,
            tool=tool,
            digest=listed.digest,
            diff=pins.explained(before, listed),
            was=f"{before.get('risk', '')} {before.get('category', '')}".strip(),
            now=f"{classification.risk} {classification.category}",
            signs=tuple(wording.warning(sign) for sign in listed.warnings),
        )

    def accept(self, server: str, tool: str, digest: str) -> None:
        """Accept the definition of this digest, no other; raises `DefinitionError`."""
        compared, listed = self._listed(server, tool)
        if listed.digest != digest:
            raise DefinitionError("the server lists another definition by now: look again")
        try:
            accept.write(compared, {tool})
        except (PdpError, TipstaffError) as error:
            raise DefinitionError(str(error)) from error

    def _listed(self, server: str, tool: str) -> tuple[Compared, SurveyedTool]:
        try:
            with self._asking:
                compared = accept.compare(registry.site(self._config), server, _SECONDS)
        except (PdpError, TipstaffError) as error:
            raise DefinitionError(str(error)) from error
        listed = next((each for each in compared.now.tools if each.name == tool), None)
        if listed is None:
            raise DefinitionError(f"{server} does not list {tool} any more")
        return compared, listed
