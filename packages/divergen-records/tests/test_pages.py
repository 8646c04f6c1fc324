import pytest
from divergen_records.pages import POLICY, data_uri, page_end, page_start, template
from jinja2 import UndefinedError

HOSTILE = ["<script>alert(1)</script>", "</style><img src=x onerror=alert(1)>", '"><b>', "' onload='x"]


@pytest.mark.parametrize("text", HOSTILE)
def test_page_start__a_title_is_text(text):
    page = page_start(text, "body{margin:0}") + page_end()
    assert text not in page
    assert POLICY.split(";")[0] in page.replace("&#39;", "'")
    assert page.count("<style>") == page.count("</style>") == 1


def test_template__escapes_and_wants_every_value():
    assert template("{{ name }}").render(name="<b>") == "&lt;b&gt;"
    with pytest.raises(UndefinedError):
        template("{{ name }}").render()


def test_data_uri():
    assert data_uri(b"abc", "png") == "data:image/png;base64,YWJj"
