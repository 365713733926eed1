"""`python -m core.cli` is `canary`."""

from core.cli import main

main()
