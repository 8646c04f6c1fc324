import pytest
from divergen_records import Config, ConfigError
from divergen_records.endpoint_settings import BaseUrl, ExtraBody
from divergen_records.settings import apply_settings
from pydantic import Field


class Asking(Config):
    base_url: BaseUrl = None
    extra_body: ExtraBody = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("base_url=localhost:80/secret", "base_url: base_url is 'localhost:80/secret'; expected an address"),
        ("base_url=http://x/v1?key=hidden", "base_url: the query of base_url holds 'key'"),
        ("extra_body={n: 3}", "extra_body: extra_body asks for several answers at once (n)"),
        ("extra_body={heat: .nan, key: hidden}", "extra_body: extra_body holds what JSON cannot say"),
    ],
)
def test_settings_of_an_endpoint__are_refused_before_it_is_asked(pair: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        apply_settings(Asking, {}, [pair])
    assert str(raised.value).startswith(said) and "hidden" not in str(raised.value)


def test_settings_of_an_endpoint__stay_as_they_were_said() -> None:
    made = apply_settings(Asking, {}, ["base_url=http://localhost:8000/v1/", "extra_body={top_k: 5}"])
    assert (made.base_url, made.extra_body) == ("http://localhost:8000/v1/", {"top_k": 5})
