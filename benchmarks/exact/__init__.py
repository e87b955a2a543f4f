"""Whether compiled C gives TensorFlow Lite Micro's bytes: networks, samples, programs and the comparison."""

import sys
from pathlib import Path

# the oracle and the random networks are the tests' own
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "engine"))
