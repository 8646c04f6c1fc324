"""``python -m divergen_train``, and ``torchrun -m divergen_train`` for several processes."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="divergen-train")
