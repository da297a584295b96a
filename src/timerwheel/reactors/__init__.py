"""Twisted's reactors with their delayed calls on the wheel.

One module a reactor, with the names of Twisted's own module and class, and an
`install()` that needs no argument.
"""
