"""``python -m tinynas``: the same as the ``tinynas`` command."""

import sys

from tinynas.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
