"""The version of the rules that `step` follows."""

from typing import Final

ENGINE_VERSION: Final = "3"
"""Journaled with every record. Raise it when the same record could give other effects."""
