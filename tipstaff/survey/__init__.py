"""What is found out about a server before an agent uses it: its tools, their danger, starter rules."""
