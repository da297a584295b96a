"""`replay`: a recording's traffic, played on a stock reactor and on ours."""
