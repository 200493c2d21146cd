"""`python -m algoexec`."""

from algoexec.cli import main

main()
