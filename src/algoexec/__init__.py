"""algoexec: one automated Bank Nifty option-scalping session per user, over the Upstox broker API."""

__version__ = "0.1.0"
