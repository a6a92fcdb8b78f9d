"""A server asked for its tools: over a URL, or started for one visit."""
