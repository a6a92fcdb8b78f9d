"""What a tool is: its category, its risk, the attacks it is open to, and what says so. Pure."""
