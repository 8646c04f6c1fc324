import subprocess
import sys

import divergen_gen


def test_exports__are_sorted_and_there():
    assert divergen_gen.__all__ == sorted(divergen_gen.__all__)
    assert all(getattr(divergen_gen, name) is not None for name in divergen_gen.__all__)


def test_import__is_light():
    script = (
        "import sys, divergen_gen, divergen_gen.cli\n"
        "heavy = {'torch', 'cv2', 'lance', 'pyarrow', 'PIL', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
