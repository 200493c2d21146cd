"""The nouns: frozen values and the rules that hold for them alone. Standard library only."""
