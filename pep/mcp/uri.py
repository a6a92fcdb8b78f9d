"""URIs as RFC 3986 writes them, and templates of them (RFC 6570). Pure.

Servers differ in what they make of anything else: some drop a TAB or a line end, some trim blanks,
some take a backslash for a slash. A URI that is judged by one reading would be read by another.
"""

from __future__ import annotations

import re

# Brackets belong to IP addresses only, but queries of many servers hold them, and nobody drops them.
_CHARACTER = r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})"
_EXPRESSION = rf"\{{{_CHARACTER}+\}}"
_SCHEME = r"[A-Za-z][A-Za-z0-9+\-.]*:"
_is_uri = re.compile(rf"{_SCHEME}{_CHARACTER}*").fullmatch
# No possessive repeat: before CPython 3.11.5 it keeps what its last, failing round has read (gh-106052).
# Of the alternatives at most one can begin at any character, so that there is little to try twice.
_is_template = re.compile(
    rf"(?:{_SCHEME}|(?={_EXPRESSION}))(?:{_CHARACTER}|{_EXPRESSION})*"
).fullmatch


def is_uri(text: str) -> bool:
    """Whether `text` is a scheme and characters that a URI may hold, percent triplets whole."""
    return _is_uri(text) is not None


def is_template(text: str) -> bool:
    """Whether `text` is a template of a URI: a URI with expressions in braces."""
    return _is_template(text) is not None
