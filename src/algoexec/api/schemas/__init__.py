"""What goes over the wire: pydantic forms of the domain's nouns, with the words for the documentation."""
