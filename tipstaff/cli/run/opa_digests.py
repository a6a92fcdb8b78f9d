"""What OPA must be, to the bit: the digests that stand in the source. Pure.

A checksum that is published beside a file says only that the file is whole: whoever can replace the one
can replace the other. `tools/opa_digests.py` writes the table of the release from files that were
downloaded and compared elsewhere; for a platform that is not in it OPA is built from the module, whose
sum covers the sums of everything it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OPA_VERSION = "1.22.2"
MODULE = f"github.com/open-policy-agent/opa@v{OPA_VERSION}"
MODULE_SUM = "h1:WzqReKk2VjcvBN/NQTlcIxKqFPKpzIdb6KYMHzPEbe0="
RELEASE_SHA256: Mapping[str, str] = MappingProxyType({})
