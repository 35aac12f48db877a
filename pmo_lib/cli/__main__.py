"""``python -m pmo_lib.cli`` is ``pmo``."""

from pmo_lib.cli.group import main

if __name__ == "__main__":
    main()
