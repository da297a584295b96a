"""What is installed here: versions, reactors, clocks, for a bug report and before one."""
