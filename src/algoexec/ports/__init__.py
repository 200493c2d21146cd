"""What the shell needs from the world, as protocols. Adapters fulfil them."""
