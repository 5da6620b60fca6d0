"""A miniature FC-CLIP, trained on Scenes. Its modules are those of Tests/Reference, which becomes importable here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Tests/Reference"))
