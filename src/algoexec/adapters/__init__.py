"""What stands behind the ports: the broker, history, stores in memory."""
