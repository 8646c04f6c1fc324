"""``python -m divergen_prompts``: the command."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="divergen-prompts")
