"""The configuration, tipstaff.toml: read, checked, shown, changed; secrets by reference."""
