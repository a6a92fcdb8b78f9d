"""The catalogue of tools, and the tools whose listed definition is not the accepted one."""
