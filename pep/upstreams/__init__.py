"""Towards servers: over HTTP, or as children that speak lines."""
