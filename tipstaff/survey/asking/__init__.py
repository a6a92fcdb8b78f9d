"""Asks a server for its tools: at a URL, or started for one session."""
