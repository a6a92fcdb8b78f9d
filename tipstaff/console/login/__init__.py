"""How people log in: by an address that works once, or by an identity provider."""
