"""Runs `opa test` over the library and fails unless every line of every rule is covered."""

from __future__ import annotations

import json
import subprocess
import sys


def main(opa: str, folder: str) -> int:
    """Print the tests' outcome and what is not covered; returns the exit code."""
    if subprocess.run([opa, "test", folder, "--fail-on-empty"], check=False).returncode != 0:
        return 1
    result = subprocess.run(
        [opa, "test", folder, "--coverage", "--format=json"],
        check=True,
        capture_output=True,
    )
    report = json.loads(result.stdout)
    print(f"rego coverage: {report['coverage']} %")
    for name, file in report["files"].items():
        for gap in file.get("not_covered", []):
            print(f"  {name}:{gap['start']['row']}-{gap['end']['row']} is not covered")
    return 0 if report["coverage"] == 100 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
