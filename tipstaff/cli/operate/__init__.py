"""The commands for who operates it: records, limits, tokens."""
