"""Commands and events in the words of the back end that came before this service."""
