from __future__ import annotations

from divergen_prompts.llm.messages import build_request
from divergen_records import Category

BOW = Category(id=2, name="bow_(weapon)", synonyms=("long_bow",), definition="a weapon for shooting arrows")


def test_build_request__says_everything() -> None:
    request = build_request(
        BOW,
        5,
        model="m",
        background="in a white background",
        max_tokens=77,
        said=["a red bow"],
        refused=[("two bows", "more than one object")],
    )
    system, user = (message["content"] for message in request.messages)
    assert "Exactly one object: bow" in system
    assert "bow or long bow" in system
    assert "It ends with: in a white background" in system
    assert "Write 5 different prompts for one bow (a weapon for shooting arrows)." in user
    assert "- a red bow" in user
    assert "- two bows (more than one object)" in user


def test_build_request__hash_is_of_model_and_messages() -> None:
    def request(model: str = "m", said: tuple[str, ...] = ()) -> str:
        return build_request(BOW, 5, model=model, background="x", max_tokens=77, said=said).hash

    assert request() == request()
    assert len({request(), request("n"), request(said=("a red bow",))}) == 3


def test_build_request__long_histories_are_cut() -> None:
    said = [f"prompt number {n}" for n in range(500)]
    user = build_request(BOW, 5, model="m", background="x", max_tokens=77, said=said).messages[1]["content"]
    assert "prompt number 499" in user
    assert "prompt number 100\n" not in user
