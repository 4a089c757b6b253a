"""What tests/bench/run is made of: rounds that count, what is started for them, figures, and the rows themselves."""

import os

# The harness looks at this when it is imported, and starts the sites from there: so before anything else of this package.
ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD_DIR = os.environ.setdefault("ZOOSPAN_BUILD_DIR", os.path.join(ROOT, "build", "bench"))
