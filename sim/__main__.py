"""The program's start: ``talentflow`` and ``python -m sim``."""

import sys


def main() -> None:
    """Run the program; an interruption while it is still loading ends it without a traceback."""
    try:
        from sim.cli import main as program
    except KeyboardInterrupt:
        sys.exit(130)
    program()


if __name__ == "__main__":
    main()
