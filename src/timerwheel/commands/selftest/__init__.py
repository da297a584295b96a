"""Check, on the user's machine, that the wheel does the same as Twisted's reactor."""
