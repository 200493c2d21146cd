"""The brain: closed candles in, prioritised candidates out. Pure numbers, ready to be compiled."""
