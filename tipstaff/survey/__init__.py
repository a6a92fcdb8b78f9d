"""The survey of a server before an agent uses it: its tools, their risks, starter rules."""
