"""A comparison of the stock reactor's timers with ours, in about a minute."""
