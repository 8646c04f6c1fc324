import subprocess
import sys

import divergen_minilvis


def test_exports__are_sorted_and_there():
    assert divergen_minilvis.__all__ == sorted(divergen_minilvis.__all__)
    assert all(getattr(divergen_minilvis, name) is not None for name in divergen_minilvis.__all__)


def test_import__is_light():
    script = (
        "import sys, divergen_minilvis, divergen_minilvis.cli\n"
        "heavy = {'torch', 'cv2', 'PIL', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
