"""Towards clients: connections, requests, the answer on its way; HTTP and stdio."""
