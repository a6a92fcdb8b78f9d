"""What a message of MCP says: read strictly, judged by tables. Pure."""
