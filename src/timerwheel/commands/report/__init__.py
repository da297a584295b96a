"""How the commands show what they do and what they found: one style for all."""
