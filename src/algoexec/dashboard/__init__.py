"""The trading screen: a static page that is a client of the public API like any other."""
