import sys
from pathlib import Path

# A generator from outside, which the command finds by its entry point as it finds that of any installed package.
sys.path.insert(0, str(Path(__file__).parent / "outside"))
