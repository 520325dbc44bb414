"""`python -m matchkeeper` is the command `matchkeeper`."""

from matchkeeper.cli.main import run

if __name__ == "__main__":
    run()
