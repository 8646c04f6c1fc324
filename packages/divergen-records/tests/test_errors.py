import divergen_records.errors as errors
import pytest
from divergen_records import DivergenError, MissingExtra, require_extra


def test_errors__one_family():
    family = [getattr(errors, name) for name in errors.__all__ if name[0].isupper()]
    assert all(issubclass(error, DivergenError) for error in family)


def test_errors__the_docstring_draws_every_one():
    for name in errors.__all__:
        if name[0].isupper():
            assert name in errors.__doc__
            assert getattr(errors, name).__doc__


def test_require_extra__says_the_line_to_install():
    message = r"^no_such_thing is not installed; pip install 'divergen-gen\[diffusers\]'$"
    with pytest.raises(MissingExtra, match=message), require_extra("divergen-gen", "diffusers"):
        import no_such_thing  # noqa: F401


def test_require_extra__lets_the_rest_through():
    with require_extra("divergen-gen", "diffusers"):
        import json  # noqa: F401
    with pytest.raises(KeyError), require_extra("divergen-gen", "diffusers"):
        raise KeyError("x")
