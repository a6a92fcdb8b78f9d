"""The main job on real parts: real MCP servers behind the gateway, a real client, a simulated AWS."""
