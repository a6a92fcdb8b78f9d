"""What loads and is probably not what was meant: warnings about a site's rules."""
