"""The normal form of URIs, as `mcp.lib.uris` in Rego has it, for the keys of rules. Pure.

The decision looks rules up by the normal form of a URI, so a key that is written otherwise would
never match. A test compares the two implementations.
"""

from __future__ import annotations

import re

# Scheme, authority with its slashes, path, query with its question mark (RFC 3986, appendix B).
_split = re.compile(r"([^:/?#]+):(//[^/?#]*)?([^?#]*)(\?[^#]*)?").match
_CHARACTER = r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=\-]|%[0-9A-Fa-f]{2})"
_an_expression = re.compile(r"\{[A-Za-z0-9._~:/?#@!$&'()*+,;=%\-]+\}")
_triplet = re.compile("%[0-9A-Fa-f]{2}")
_is_uri = re.compile(rf"[A-Za-z][A-Za-z0-9+.\-]*:{_CHARACTER}*").fullmatch
_leads_elsewhere = re.compile(
    r"(?i)(^|[/\\:]|%2f)(%20)*(\.|%2e)(%20)*((\.|%2e)(%20)*)?([/\\?#;]|%2f|%3b|\Z)"
    r"|\\|%5c|%[01][0-9a-f]|%7f|%25[0-9a-f]{2}|%c[01]"
).search
_WEB = "(https?|wss?|ftp)"
_has_no_place = re.compile(rf"(?i)file:([^/]|\Z)|{_WEB}:(//([/?#:]|\Z)|/([^/]|\Z)|[^/]|\Z)").match
_PORTS = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443", "ftp": ":21"}
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_IN_PATHS = _UNRESERVED | frozenset("!$&'()*+,;=:@")


def normal(uri: str) -> str:
    """The URI as rules name it: one spelling for all that mean the same."""
    parts = _split(uri)
    if parts is None:
        return uri
    scheme, given, path, query = parts[1].lower(), parts[2] or "", parts[3], parts[4] or ""
    place = f"{_authority(scheme, given, path)}{_path(scheme, path)}"
    return f"{scheme}:{place}{_decoded(query, _UNRESERVED)}"


def is_doubtful(uri: str) -> bool:
    """Whether no rule can tell what the URI names: such a URI is denied where there are rules."""
    return bool(_leads_elsewhere(uri) or _has_no_place(uri))


def key_fault(key: str) -> str:
    """The fault of the key of a resource's rule, "" if none. The key may be a template, too."""
    name, is_beginning = key.removesuffix("*"), key.endswith("*")
    if ":" not in name:
        return "must be a URI, or its beginning with a * at the end"
    if "*" in name:
        return "a * stands at the end only, for everything that follows"
    if not _is_uri(_an_expression.sub("x", name)):
        return "can never match: it has characters that a URI holds only percent-encoded"
    if _leads_elsewhere(name) or (not is_beginning and _has_no_place(name)):
        return "can never match: URIs with dot segments, backslashes and the like are refused"
    spelled = _normal_beginning(name) if is_beginning else normal(name)
    return "" if spelled == name else f"can never match: write `{spelled}{'*' * is_beginning}`"


def _normal_beginning(text: str) -> str:
    """The normal form of a key's beginning; where it may end inside the host, no path is added."""
    parts = _split(text)
    if parts is None or parts[3] or parts[4] or parts[2] == "//localhost":
        return normal(text)
    return f"{parts[1].lower()}:{_host(parts[2] or '')}"


def _authority(scheme: str, given: str, path: str) -> str:
    if given in {"", "//"} and path.startswith("/"):
        return "//"
    if scheme == "file" and given.lower() == "//localhost":
        return "//"
    host = _host(given)
    port = _PORTS.get(scheme)
    return host if port is None else host.removesuffix(port).removesuffix(":")


def _host(given: str) -> str:
    """The host in lower case; a template keeps its case for its variable names, percent triplets are in capitals."""
    decoded = _decoded(given, _UNRESERVED)
    return decoded if "{" in given else _decoded(decoded.lower(), _UNRESERVED)


def _path(scheme: str, path: str) -> str:
    if not path and (scheme in _PORTS or scheme == "file"):
        return "/"
    return _decoded(path, _IN_PATHS)


def _decoded(text: str, characters: frozenset[str]) -> str:
    def spelled(triplet: re.Match[str]) -> str:
        character = chr(int(triplet[0][1:], 16))
        return character if character in characters else triplet[0].upper()

    return _triplet.sub(spelled, text)
