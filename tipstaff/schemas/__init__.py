"""JSON Schemas that come with Tipstaff, for editors; made from the code by `make docs`."""

from __future__ import annotations

from pathlib import Path

TIPSTAFF_TOML = Path(__file__).parent / "tipstaff.schema.json"
"""The schema of `tipstaff.toml`."""
DATA_YAML = Path(__file__).parent / "data.schema.json"
"""The schema of `policy/servers/NAME/data.yaml`."""


def yaml_line(schema: Path) -> str:
    """The comment by which editors with yaml-language-server find the schema of a file."""
    return f"# yaml-language-server: $schema={schema}\n"


def toml_line(schema: Path) -> str:
    """The comment by which editors with taplo (Even Better TOML) find the schema of a file."""
    return f"#:schema {schema}\n"
