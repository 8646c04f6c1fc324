from divergen_records.alike import once_each, remedies_once


def test_once_each__the_sentence_once_with_the_first_names():
    rows = [(f"{number}.png", f"{number}.png: is {number} bytes; copy it again") for number in range(7)]
    assert once_each(rows) == [
        "0.png: is 0 bytes; copy it again",
        "  and 6 more alike: 1.png, 2.png, 3.png, 4.png, …",
    ]


def test_once_each__other_sentences_stay_and_the_rest_is_counted():
    rows = [("a", "a: is empty"), ("b", "b: is no picture"), ("c", "c: is empty"), ("", "'x' is unknown")]
    assert once_each(rows) == ["a: is empty", "  and 1 more alike: c", "b: is no picture", "'x' is unknown"]
    assert once_each(rows, 1) == ["a: is empty", "  and 1 more alike: c", "... and 2 more"]


def test_once_each__without_names():
    assert once_each([("", "row 1 failed"), ("", "row 2 failed")]) == ["row 1 failed", "  and 1 more alike"]


def test_remedies_once__below_all_that_have_it():
    assert remedies_once(["a: x is gone; go online", "b: y is empty", "c: z is gone; go online", "d; e; f"]) == [
        "a: x is gone",
        "c: z is gone",
        "  what to do about these 2: go online",
        "b: y is empty",
        "d; e; f",
    ]
