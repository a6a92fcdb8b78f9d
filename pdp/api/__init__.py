"""The published contract of the decision service: the only part of `pdp` that `pep` may import."""
