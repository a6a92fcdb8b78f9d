"""Lines are put into a rule file, and taken out as comments; nothing else of it moves."""

from __future__ import annotations

import pytest

from pdp.errors import PolicyTextError
from tipstaff.survey.starter.edits import edited


def new(column: int) -> str:
    return f"{' ' * column}b: {{}}\n"


def nothing(_: int) -> str:
    return ""


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", "tools:\n  b: {}\n"),
        ("a: 1", "a: 1\n\ntools:\n  b: {}\n"),
        (" a: 1\n", " a: 1\n\n tools:\n   b: {}\n"),
        ("tools: {}", "tools:\n  b: {}\n"),
        ("tools: {} # none\nz: 1\n", "tools: # none\n  b: {}\n\nz: 1\n"),
        ("tools:\n a: {}", "tools:\n a: {}\n\n b: {}\n"),
        ("tools:\n a: {} # x\nz: 1\n", "tools:\n a: {} # x\n\n b: {}\n\nz: 1\n"),
        ("tools:\n a:\n   c:\n   - 1\n\n # x\n", "tools:\n a:\n   c:\n   - 1\n\n b: {}\n\n # x\n"),
        ("tools:\n a: |\n  x\n\nz: 1\n", "tools:\n a: |\n  x\n\n b: {}\n\nz: 1\n"),
        ("tools:\r\n a: {}\r\n", "tools:\r\n a: {}\r\n\r\n b: {}\r\n"),
        ("\ufefftools:\n a: {}\n", "\ufefftools:\n a: {}\n\n b: {}\n"),
    ],
)
def test_new_rules_stand_behind_the_last_one_in_its_column(text: str, want: str) -> None:
    """An empty line before them and behind them, unless there is one or nothing follows."""
    assert edited(text, new, ()) == want


NOTE = "# No longer on the server when it was registered again; its rule was:\n"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("tools:\n a: {}\n c: {}\n", f"tools:\n {NOTE} # a: {{}}\n c: {{}}\n"),
        ("tools:\n a: {}", f"tools: {{}}\n {NOTE} # a: {{}}"),
        ("tools: # all\n a: {}\n", f"tools: {{}} # all\n {NOTE} # a: {{}}\n"),
        (
            "tools:\n  a:\n    x: [1,\n 2]\n\n    y: 3 # z\n  # c\n  c: {}\n",
            f"tools:\n  {NOTE}  # a:\n  #   x: [1,\n # 2]\n\n  #   y: 3 # z\n  # c\n  c: {{}}\n",
        ),
        (
            "tools:\n  ? a\n  : {}\n  c: {}\n",
            f"tools:\n  {NOTE}  # ? a\n  # : {{}}\n  c: {{}}\n",
        ),
    ],
)
def test_a_rule_that_goes_becomes_a_comment_in_its_column(text: str, want: str) -> None:
    """Up to its last line, and not the comments behind it."""
    assert edited(text, nothing, {"a"}) == want


def test_rules_come_and_go_in_one_edit() -> None:
    """Also the last one."""
    found = edited("tools:\n a: {}\nz: 1\n", new, {"a"})
    assert found == f"tools:\n {NOTE} # a: {{}}\n\n b: {{}}\n\nz: 1\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{a: 1}", "the rules are written in braces"),
        ("tools: {a: {}}", "the tools are written in braces"),
        ("tools: {\n}\n", "there are lines in the braces"),
        ("? tools\n: a: {}\n", "the tools are written in braces"),
        ("a: [", "not YAML"),
        ("[" * 5000, "not YAML"),
    ],
)
def test_text_that_is_not_written_by_lines_is_refused(text: str, why: str) -> None:
    """To guess where its parts begin could lose one."""
    with pytest.raises(PolicyTextError, match=why):
        edited(text, new, ())
