import pytest
from divergen_gen.config import GeneratorConfig
from divergen_gen.testing import FakeConfig, FakeGenerator, check_generator
from pydantic import TypeAdapter, ValidationError


def test_check_generator__passes_what_keeps_the_contract():
    check_generator(FakeGenerator, "teapot")


def test_check_generator__notices_a_counter():
    class Counting(FakeGenerator):
        def __call__(self, records):
            shifted = [record.model_copy(update={"seed": record.seed + len(self.calls)}) for record in records]
            made = super().__call__(shifted)
            return [m.model_copy(update={"seed": r.seed}) for m, r in zip(made, records, strict=True)]

    with pytest.raises(AssertionError, match="depends on its record only"):
        check_generator(Counting, "teapot")


def test_generator_config__told_apart_by_kind():
    adapter = TypeAdapter(GeneratorConfig)
    assert adapter.validate_python({"kind": "fake", "size": 64}) == FakeConfig(size=64)
    with pytest.raises(ValidationError, match="diffusers"):
        adapter.validate_python({"kind": "magic"})
