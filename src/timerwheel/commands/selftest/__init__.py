"""Checks, on the user's machine, that the wheel does what Twisted's reactor does."""
