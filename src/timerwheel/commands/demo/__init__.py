"""A demonstration under load: one echo server, run on a stock reactor and on ours, side by side."""
