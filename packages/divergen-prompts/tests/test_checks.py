from __future__ import annotations

import pytest
from divergen_prompts.checks import Checker, Seen, check_prompts
from divergen_records import Category, PromptRecord


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("three ripe bananas in a white background", "more than one object ('three ripe bananas')"),
        ("bananas in a white background", "more than one object ('bananas')"),
        ("a bunch of very ripe bananas, white background", "more than one object"),
        ("a banana and an apple, white background", "more than one object (also 'apple')"),
        ("a banana next to a red sports ball, white background", "more than one object (also 'sports ball')"),
        ("a red car in a white background", "does not name the category (banana)"),
        ("a bananarama in a white background", "does not name the category (banana)"),
        ("eine gelbe banana auf weißem Hintergrund, white background", "not English"),
        ("une banana jaune sur fond blanc", "not English"),
        ("Przykro mi, ale nie mogę pomóc z tą banana, in a white background", "speaks of the task"),
        ("bunu yapamam ve bu banana için, in a white background", "not English"),
        ("sebuah banana dengan latar belakang putih, in a white background", "not English"),
        ("黄色いbananaの写真 white background", "not English"),
        ("a nude banana, white background", "banned word ('nude')"),
        ("a cursed banana, white background", "banned word ('cursed')"),
        ("banana " * 80 + "white background", "too long"),
        ("a ripe banana on a table", "does not ask for 'white background'"),
        ("a red banana, white background a blue banana, white background", "several prompts in one"),
        (" ,.", "empty"),
        ("Je suis désolé, mais je ne peux pas vous aider avec banana in a white background", "speaks of the task"),
        ("Lo siento, pero no puedo ayudar con banana in a white background", "speaks of the task"),
        ("Apologies, but a banana in a white background is not for me", "speaks of the task"),
        ("a banana in a white background violates our content policy", "speaks of the task"),
        ("[colour] banana with [pattern], in a white background", "holds markup ('[colour]')"),
    ],
)
def test_checker__says_what_is_wrong(categories: list[Category], text: str, said: str) -> None:
    checker = Checker(categories, background="white background", banned=["cursed"])
    assert said in " | ".join(checker(text, categories[0]))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "A Banana, studio light, in a white background"),
        (0, "a photo of a single banana, elongated yellow fruit with soft sweet flesh, in a white background"),
        (1, "a red bow, a weapon for shooting arrows, in a white background"),
        (2, "one sports-ball, in a white background"),
        (2, "one dusty ball, in a white background"),
        (3, "a pair of scissors, in a white background"),
        (3, "the scissors, a tool having two crossed pivoting blades, for cutting, in a white background"),
        (2, "ball, no air, next to nothing, in a white background"),
        (4, "a chair with a cushion and a high back, in a white background"),
    ],
)
def test_checker__lets_good_prompts_pass(categories: list[Category], number: int, text: str) -> None:
    assert Checker(categories, background="white background")(text, categories[number]) == []


@pytest.mark.parametrize("name", ["A+", "cup (blue)", "Dr. Pepper!", "'scope", "10%"])
def test_checker__names_that_begin_or_end_with_a_sign(name: str) -> None:
    category = Category(id=1, name=name)
    check = Checker([category])
    assert check(f"one {name}, in a white background", category) == []
    assert check(f"one x{name}x, in a white background", category) == [f"does not name the category ({name})"]


@pytest.mark.parametrize("word", ["t-shirt", "C++", "T_Shirt"])
def test_checker__banned_words_with_signs(word: str) -> None:
    check = Checker(banned=[word, " "])
    category = Category(id=1, name="banana")
    (said,) = check(f"a banana and {word}", category)
    assert said.startswith("banned word (")
    assert check("a banana", category) == []


def test_checker__names_with_a_hyphen_are_known_as_other_objects() -> None:
    banana, shirt = Category(id=1, name="banana"), Category(id=2, name="T-shirt")
    assert Checker([banana, shirt])("a banana and a t-shirt", banana) == ["more than one object (also 't shirt')"]


def test_checker__counts_with_the_given_tokenizer(categories: list[Category]) -> None:
    class Letters:
        identity = "letters"

        def __call__(self, text: str) -> int:
            return len(text)

    assert Checker(max_tokens=10, counter=Letters())("a banana", categories[0]) == []
    assert Checker(max_tokens=7, counter=Letters())("a banana", categories[0]) == ["too long (8 tokens, at most 7)"]


def test_seen__exact_and_near_duplicates() -> None:
    seen = Seen()
    seen.add("A red cup, side view.")
    assert seen("a red cup side view") == "duplicate"
    assert seen("one cup, red, side view") == "near duplicate (the same words)"
    assert seen("a blue cup, side view") is None
    exact = Seen(near=False)
    exact.add("a red cup")
    assert exact("one cup, red") is None


def test_check_prompts__within_each_category_and_without_categories() -> None:
    def record(text: str, key: int) -> PromptRecord:
        return PromptRecord(text=text, category_id=key, category=f"thing_{'ab'[key]}", source="test")

    prompts = [record("a thing a", 0), record("A thing a.", 0), record("a thing b", 1), record("a thing a", 1)]
    found = [problems for _, problems in check_prompts(prompts)]
    assert found == [[], ["duplicate"], [], ["does not name the category (thing b)"]]


CHAIR = Category(id=5, name="chair")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("| 1 | a red chair, in a white background |", "holds markup"),
        ("**a red chair**, in a white background", "holds markup"),
        ("<b>a red chair</b>, in a white background", "holds markup"),
        ("◆ a red chair, in a white background", "holds markup"),
        ("1 a red chair, in a white background", "holds markup"),
        ("IV a red chair, in a white background", "holds markup"),
        ('print("a red chair, in a white background")', "holds markup"),
        ("All of them show a chair in a white background", "speaks of the task"),
        ('{"text": a red chair, in a white background}', "holds markup"),
        ("I'm sorry, but I can't make a chair in a white background", "speaks of the task"),
        ("Sure! Here is a red chair, in a white background", "speaks of the task"),
        ("The user said every prompt shows one chair, in a white background", "speaks of the task"),
        ("we need exactly one chair, in a white background", "speaks of the task"),
        ("JSON with a red chair, in a white background", "speaks of the task"),
        ("should I ask for a red chair in a white background?", "is a question"),
        ("a red chair in a white background:", "is a question or a heading"),
    ],
)
def test_checker__what_is_no_prompt(text: str, said: str) -> None:
    problems = Checker([CHAIR])(text, CHAIR)
    assert any(problem.startswith(said) for problem in problems), problems


@pytest.mark.parametrize(
    "text",
    [
        "a note pad chair",
        "3D render of a chair",
        "(a chair:1.2), 8k",
        "a user's chair by `J' & sons",
        "a chair (called `seat')",
        "i, chair",
    ],
)
def test_checker__what_only_looks_like_that(text: str) -> None:
    assert Checker([CHAIR])(text, CHAIR) == []
