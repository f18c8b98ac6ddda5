"""The summary of a result on the terminal: the finding first, the numbers below, files last."""
