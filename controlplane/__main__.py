"""Lets `python -m controlplane` do what the command `kasumi` does."""

from controlplane.cli.app import main

if __name__ == "__main__":
    main()
