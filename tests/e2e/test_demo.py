"""The demonstration itself: what the README promises first."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(180)
def test_the_demo_plays_and_every_row_is_as_it_must_be(tmp_path: Path) -> None:
    """Real servers, real clients of both eras, a simulated AWS; in under a minute."""
    result = subprocess.run(
        [sys.executable, "-m", "demo", "--folder", str(tmp_path / "demo")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "✗" not in result.stdout
    rows = [
        line for line in result.stdout.splitlines() if re.match(r"\s+✓ +(legacy|modern) ", line)
    ]
    assert len(rows) == 21
    seconds = re.search(r"32 checks, all as it must be, in ([\d.]+) s", result.stdout)
    assert seconds
    assert float(seconds[1]) < 60


@pytest.mark.timeout(180)
def test_the_demo_fails_when_a_rule_does_not_do_what_it_says(tmp_path: Path) -> None:
    """Its own rows are checked: without the rule against deletion they are wrong."""
    script = (
        "import sys, demo.parts as parts, demo.__main__ as main\n"
        "whole = parts.write_config\n"
        "def weakened(stage, ports):\n"
        "    rules = stage.rules('amazon_mq')\n"
        "    text = rules.read_text()\n"
        "    assert 'action: deny' in text\n"
        "    start = text.index('  delete_broker:')\n"
        "    rules.write_text(text[:start] + '  delete_broker: {}\\n')\n"
        "    whole(stage, ports)\n"
        "parts.write_config = weakened\n"
        "sys.argv = ['demo', '--folder', sys.argv[1]]\n"
        "sys.exit(main.main())\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "demo")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert re.search(r"✗ +legacy +delete_broker +allow ", result.stdout)
    assert "✗ AWS still has the broker" in result.stdout
