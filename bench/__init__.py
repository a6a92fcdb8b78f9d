"""What Tipstaff costs, measured beside a direct call and a plain reverse proxy."""
