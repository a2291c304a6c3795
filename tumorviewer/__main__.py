"""``python -m tumorviewer``."""

import sys

from tumorviewer.cli import main

if __name__ == "__main__":
    sys.exit(main())
