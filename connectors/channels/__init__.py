"""Sales channels we tell quantities to: one module per kind, one interface, and what every sink shares."""
