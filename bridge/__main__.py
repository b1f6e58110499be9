"""`python -m cstalk_bridge` is `cstalk-bridge`."""

import sys

from cstalk_bridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
