"""Several proxies that serve one port: which of them serves a request, and what they tell each other."""
