"""What every process needs and nobody owns. Imports nobody."""
