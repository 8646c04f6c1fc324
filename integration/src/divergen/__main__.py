"""``python -m divergen``."""

from .cli import main

main()
