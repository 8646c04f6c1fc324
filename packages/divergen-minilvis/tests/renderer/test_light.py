import subprocess
import sys


def test_names_and_words_need_no_opencv():
    code = (
        "import sys; from divergen_minilvis.renderer import known, category_names, parse_attributes; "
        "parse_attributes('a red ' + category_names()[0]); assert known('mug'); "
        "assert not {'cv2', 'torch', 'lance'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
