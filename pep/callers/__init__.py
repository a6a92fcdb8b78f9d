"""Who calls: tokens, certificates, sessions."""
