"""From a signal to a closed trade: sizing, risk, orders, exits. Pure, as all of the engine."""
