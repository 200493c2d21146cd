"""What a backtest is worth, in the field's own figures, and as one page that needs nothing else."""
