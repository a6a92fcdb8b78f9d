"""A survey for people: at a terminal, as a page. Pure."""
