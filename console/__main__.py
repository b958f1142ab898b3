"""`python -m console` is `kassa`."""

import sys

from console.cli import main

sys.exit(main())
