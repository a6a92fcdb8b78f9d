"""The commands about servers: scan, register, accept, init."""
