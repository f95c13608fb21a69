"""`python -m connector_master`: the command line."""

import sys

from connector_master.cli import main

if __name__ == "__main__":
    sys.exit(main())
