"""The same rules over years of candles: the kernels of `strategy` compiled, and folded over columns."""
