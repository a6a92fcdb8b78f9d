"""What a configuration asks of this machine and does not find, and secrets that stand in it. Edge: files.

All of it would stop the start, or show with the first call. It is told with the line at which it stands,
and without any value that may be a secret. Variables may be set, and programs installed, where the
services run and not where the configuration is checked: so only secrets in clear are errors.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from pdp.approvals import webhook_target
from pdp.errors import ConfigError
from pep.config import Server
from tipstaff.cli.configuration.config import Config
from tipstaff.cli.configuration.secret import has_password, is_in_clear, is_reference, secret
from tipstaff.common.child_process import missing_program
from tipstaff.common.masking import masked, masked_text

_IN_CLEAR = "a secret stands here in clear: write env:NAME or file:PATH"


class Finding(Struct, frozen=True):
    """One thing that is not as it should be."""

    line: int
    key: str
    message: str
    is_error: bool = False

    def sentence(self, config: Config) -> str:
        """In one line, with its place."""
        return f"{config.source}:{self.line}: {self.key}: {self.message}"


def findings(config: Config) -> list[Finding]:
    """All findings, in the order of the lines at which they stand."""
    problems = [*_store(config), *_files(config), *_webhook(config)]
    for server in config.pep.servers:
        problems += _server(config, server)
    return sorted(problems, key=lambda finding: finding.line)


def warnings(config: Config) -> list[Finding]:
    """The findings that are no errors; raises `ConfigError`, which tells those that are."""
    problems = findings(config)
    errors = [finding.sentence(config) for finding in problems if finding.is_error]
    if errors:
        raise ConfigError("\n".join(errors))
    return problems


def _store(config: Config) -> Iterator[Finding]:
    limits, path = config.pdp.limits, ("limits", "url")
    if limits.store == "redis" and not limits.url:
        yield _finding(
            config, ("limits", "store"), "redis needs url: redis://HOST:PORT/DB", error=True
        )
    elif limits.store != "redis" and limits.url:
        yield _finding(config, path, f'has no effect, since store = "{limits.store}"')
    elif limits.url and not is_reference(limits.url) and has_password(limits.url):
        yield _finding(config, path, "a password stands here in clear: write env:NAME or file:PATH")
    else:
        yield from _reference(config, path, limits.url)


def _files(config: Config) -> Iterator[Finding]:
    pep, tls = config.pep, config.pdp.tls
    keys_file = "" if "://" in pep.jwt.jwks else pep.jwt.jwks
    if not keys_file and masked_text(pep.jwt.jwks) != pep.jwt.jwks:
        advice = "a secret seems to stand in the URL: keys that check signatures need none"
        yield _finding(config, ("jwt", "jwks"), advice)
    named = {
        ("tls", "certificate"): pep.tls.certificate,
        ("tls", "key"): pep.tls.key,
        ("tls", "client_ca"): pep.tls.client_ca,
        ("pep", "pdp_tls", "server_ca"): pep.pdp_tls.server_ca,
        ("pep", "pdp_tls", "certificate"): pep.pdp_tls.certificate,
        ("pep", "pdp_tls", "key"): pep.pdp_tls.key,
        ("pdp", "tls", "certificate"): tls.certificate,
        ("pdp", "tls", "key"): tls.key,
        ("pdp", "tls", "client_ca"): tls.client_ca,
        ("jwt", "jwks"): keys_file,
    }
    for path, file in named.items():
        if file and not os.access(file, os.R_OK):
            why = "cannot be read" if Path(file).exists() else "is not there"
            yield _finding(config, path, f"{file} {why}")


def _webhook(config: Config) -> Iterator[Finding]:
    webhook, place = config.pdp.approvals.webhook, ("approvals", "webhook")
    if not webhook.url:
        if webhook != type(webhook)():
            yield _finding(config, place, "has no effect without a url")
        return
    if not webhook.secret:
        yield _finding(
            config, place, "needs a secret, with which messages are signed: env:NAME", error=True
        )
    elif not is_reference(webhook.secret):
        yield _finding(config, (*place, "secret"), _IN_CLEAR, error=True)
    for key, value in (("url", webhook.url), ("secret", webhook.secret)):
        yield from _reference(config, (*place, key), value)
    if is_reference(webhook.url):
        return
    if masked_text(webhook.url) != webhook.url:
        advice = "a key seems to stand in the URL: write env:NAME or file:PATH"
        yield _finding(config, (*place, "url"), advice)
    try:
        webhook_target.target(webhook)
    except ConfigError as error:
        key, _, message = str(error).partition(": ")
        yield _finding(config, tuple(key.split(".")), message, error=True)


def _server(config: Config, server: Server) -> Iterator[Finding]:
    place = ("servers", server.name)
    proofs = {"bearer": server.bearer, **{f"headers.{k}": v for k, v in server.headers.items()}}
    for key, value in proofs.items():
        path = (*place, *key.split(".", 1))
        if value and not is_reference(value):
            yield _finding(config, path, _IN_CLEAR, error=True)
        yield from _reference(config, path, value)
    for name, value in server.environment.items():
        path = (*place, "environment", name)
        if is_in_clear(name, value):
            yield _finding(config, path, _IN_CLEAR)
        yield from _reference(config, path, value)
    if masked_text(server.url) != server.url:
        advice = "a key seems to stand in the URL: send it as bearer or among headers, if the server lets you"
        yield _finding(config, (*place, "url"), advice)
    if server.command:
        yield from _command(config, server, (*place, "command"))


def _command(config: Config, server: Server, path: tuple[str, ...]) -> Iterator[Finding]:
    words = list(server.command)
    if masked(words) != words:
        advice = "a secret seems to stand in the command: hand it over in environment, as env:NAME"
        yield _finding(config, path, advice)
    fault = missing_program(words[0], server.environment.get("PATH"))
    if fault:
        yield _finding(config, path, fault)


def _reference(config: Config, path: tuple[str, ...], value: str) -> Iterator[Finding]:
    """What a reference refers to, if it is not there."""
    if is_reference(value):
        try:
            secret(value, "")
        except ConfigError as error:
            yield _finding(config, path, str(error).removeprefix(": "))


def _finding(
    config: Config, path: tuple[str, ...], message: str, *, error: bool = False
) -> Finding:
    return Finding(config.lines.of(path), ".".join(path), message, error)
