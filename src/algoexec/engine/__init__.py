"""One pure state machine per session: `step(state, record)` gives the next state and what to do."""
