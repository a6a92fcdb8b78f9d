"""Identity of callers: tokens, certificates, sessions."""
