"""Real client libraries through Tipstaff, each in an environment of its own."""
