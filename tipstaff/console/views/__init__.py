"""The pages of the console as HTML, and the parts that they are made of. Pure."""
