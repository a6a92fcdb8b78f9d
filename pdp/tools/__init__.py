"""What is known of each tool, and which are listed otherwise than they were accepted."""
