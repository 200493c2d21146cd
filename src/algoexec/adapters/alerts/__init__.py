"""Messages to people: what they are told of, by which channel, and how it is sent."""
