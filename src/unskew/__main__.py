"""`python -m unskew`."""

from unskew.cli.main import main

if __name__ == "__main__":
    main()
