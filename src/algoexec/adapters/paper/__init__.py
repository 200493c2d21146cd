"""A broker that trades on paper, at live quotes."""
