from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from divergen_records import Config, ConfigError
from divergen_records.settings import Shorthand, apply_settings, named_values, split_pairs, validate_settings
from pydantic import BeforeValidator, Field


class Round(Config):
    kind: Literal["round"] = "round"
    radius: float = Field(default=1.0, gt=0)
    label: str = "o"


class Square(Config):
    kind: Literal["square"] = "square"
    side: int
    corners: tuple[int, int] = (0, 1)


class Frame(Config):
    width: int = 2
    colour: str | None = None


Shape = Annotated[Round | Square, Field(discriminator="kind")]


def _named(value: Any) -> Any:
    return {"width": 9, **{k: v for k, v in value.items() if k != "style"}} if "style" in value else value


class Share(Config):
    share: float = Field(default=0.5, validate_default=True)


class Limit(Config):
    at_least: float
    tolerance: float = 0.1


class Drawing(Config):
    title: str = "none"
    op: Literal["off", ">="] = ">="
    shapes: tuple[Shape, ...] = (Round(), Square(side=3))
    first: Shape = Round(radius=2)
    frame: Annotated[Frame, BeforeValidator(_named), Shorthand("style")] = Frame(width=5)
    mat: Frame | None = None
    weights: dict[int, float] = Field(default={3: 1.0})
    size: int | tuple[str, ...] = 4
    path: Path | None = None
    cut: float | Share | Limit = Limit(at_least=0.2)


def apply(*pairs: str) -> Drawing:
    return apply_settings(Drawing, Drawing(), pairs, where="d")


@pytest.mark.parametrize(
    ("pairs", "changed"),
    [
        (["shapes.1.side=7"], {"shapes": (Round(), Square(side=7))}),
        (["shapes[1].corners[0]=7"], {"shapes": (Round(), Square(side=3, corners=(7, 1)))}),
        (["shapes.2={kind: square, side: 1}"], {"shapes": (Round(), Square(side=3), Square(side=1))}),
        (["shapes.2.kind=square", "shapes.2.side=1"], {"shapes": (Round(), Square(side=3), Square(side=1))}),
        (["shapes.0.kind=square", "shapes.0.side=1"], {"shapes": (Square(side=1), Square(side=3))}),
        (["first.label=x"], {"first": Round(radius=2, label="x")}),
        (["first.kind=round"], {}),
        (["first.kind=square", "first.side=1"], {"first": Square(side=1)}),
        (["first={radius: 3}"], {"first": Round(radius=3)}),
        (["frame.colour=red"], {"frame": Frame(width=5, colour="red")}),
        (["frame.style=x", "frame.colour=red"], {"frame": Frame(width=9, colour="red")}),
        (["frame={style: x}", "frame.width=1"], {"frame": Frame(width=1)}),
        (["mat.width=1"], {"mat": Frame(width=1)}),
        (["mat={}", "mat=null"], {}),
        (["weights.3=1e-4", "weights.4=2"], {"weights": {3: 1e-4, 4: 2.0}}),
        (["cut.tolerance=0"], {"cut": Limit(at_least=0.2, tolerance=0)}),
        (["cut={share: 1}", "cut.share=0.3"], {"cut": Share(share=0.3)}),
        (["cut=1e-1"], {"cut": 0.1}),
        (["size=[a, b]", "size.2=c"], {"size": ("a", "b", "c")}),
    ],
)
def test_apply_settings__changes_this_and_nothing_else(pairs: list[str], changed: dict[str, Any]) -> None:
    assert apply(*pairs) == Drawing(**changed)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024", "2024"),
        ("1e-4", "1e-4"),
        ("on", "on"),
        ("a: b, c=d", "a: b, c=d"),
        ("photo #1", "photo #1"),
        ("'quoted #1'", "quoted #1"),
        ("${x", "${x"),
        ("${oc.env:HOME}", "${oc.env:HOME}"),
        ("???", "???"),
        (">=", ">="),
        ("@x%", "@x%"),
        ("", ""),
        ("2020-01-01", "2020-01-01"),
    ],
)
def test_apply_settings__texts_arrive_as_they_are(text: str, value: str) -> None:
    assert apply(f"title={text}").title == value


def test_apply_settings__words_that_yaml_takes_for_something_else() -> None:
    assert (apply("op=off").op, apply("op=>=").op) == ("off", ">=")
    assert apply("path=2024").path == Path("2024")
    assert apply("path=null").path is None


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("titel=x", "d: titel: there is no such key; did you mean 'title'?"),
        ("zzz.x=1", "d: zzz: there is no such key; there are title, op, shapes"),
        ("shapes.1.sid=7", "d: shapes.1.sid: there is no such key; did you mean 'side'?"),
        ("shapes.1.side=x", "d: shapes.1.side: input should be a valid integer"),
        ("shapes={kind: round}", "d: shapes: expected a list (got"),
        ("shapes.1={kind: square, sid: 7}", "d: shapes.1.side: is missing"),
        ("first.radius=-1", "d: first.radius: input should be greater than 0 (got -1"),
        ("first.kind=oval", "d: first.kind: 'oval' is not one of 'round', 'square'"),
        ("first={radios: 3}", "d: first.radios: there is no such key; did you mean 'radius'?"),
        ("first={radius: x}", "d: first.radius: input should be a valid number"),
        ("mat.x.y=1", "d: mat.x: there is no such key; there are width, colour"),
        ("op=<", "d: op: input should be 'off' or '>=' (got '<')"),
        ("shapes.3.side=7", "d: shapes.3.side: '3' is not an index of a list of 2"),
        ("shapes.-1.side=7", "d: shapes.-1.side: '-1' is not an index of a list of 2"),
        ("shapes.2.side=7", "d: shapes.2.kind: comes first, and is one of 'round', 'square'"),
        ("cut.at_lest=1", "d: cut.at_lest: there is no such key; did you mean 'at_least'?"),
        ("title.x=1", "d: title.x: 'title' is 'none', not a section with keys of its own"),
        ("path.x=1", "d: path.x: 'path' is null, not a section with keys of its own"),
        ("weights.a=1", "d: weights.a: input should be a valid integer"),
        ("title", "d: 'title': expected key=value"),
        ("=1", "d: '=1': expected key=value"),
        ("a..b=1", "'a..b' is not a key"),
        ("shapes[0=1", "'shapes[0' is not a key"),
        ("shapes[0]x=1", "'shapes[0]x' is not a key"),
        ("size=[", "d: size=[: not valid YAML"),
        ("size={a: 1, a: 2}", "d: size={a: 1, a: 2}: not valid YAML: found duplicate key a"),
    ],
)
def test_apply_settings__says_what_is_wrong(pair: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        apply(pair)
    assert message in str(error.value)


def test_validate_settings__an_unknown_kind_is_one_sentence_with_the_nearest() -> None:
    class Scene(Config):
        shapes: Annotated[tuple[Shape, ...], Field(min_length=1)] | Shape

    for wrong in ([{"kind": "sqare"}], {"kind": "sqare"}):
        with pytest.raises(ConfigError, match=r"^shapes\S*\.kind: 'sqare' is not .*; did you mean 'square'\?$"):
            validate_settings(Scene, {"shapes": wrong})
    with pytest.raises(ConfigError, match=r"^shapes: expected at least 1 of them or expected keys with values \(got"):
        validate_settings(Scene, {"shapes": []})


def test_apply_settings__a_kind_that_would_undo_an_earlier_pair_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"first\.kind=square would undo first\.label=x, which comes before it"):
        apply("first.label=x", "first.kind=square")


def test_apply_settings__from_a_file_that_is_not_complete_yet() -> None:
    class Sheet(Config):
        shape: Shape
        frame: Frame = Frame(width=5)

    assert apply_settings(Sheet, {}, ["frame.colour=red", "shape={kind: round}"]).frame == Frame(width=5, colour="red")
    with pytest.raises(ConfigError, match=r"^shape: is missing$"):
        apply_settings(Sheet, {}, [])


@pytest.mark.parametrize("further", [[], ["side=3"]])
def test_apply_settings__a_mistyped_kind_gets_the_nearest(further: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"^kind: 'rond' is not one of 'round', 'square'; did you mean 'round'\?$"):
        apply_settings(Shape, {"kind": "rond"}, further)


def test_apply_settings__a_union_itself() -> None:
    assert apply_settings(Shape, {"kind": "square"}, ["side=4"]) == Square(side=4)
    with pytest.raises(ConfigError, match=r"^kind: 'oval' is not one of 'round', 'square'$"):
        apply_settings(Shape, {"kind": "oval"}, ["side=4"])
    with pytest.raises(ConfigError, match="radius: there is no such key"):
        apply_settings(Shape, {"kind": "square"}, ["radius=4"])


def test_apply_settings__leaves_the_given_configuration_alone() -> None:
    given = {"weights": {1: 2.0}, "shapes": [{"kind": "round"}]}
    apply_settings(Drawing, given, ["weights.1=3", "shapes.0.label=x"])
    assert given == {"weights": {1: 2.0}, "shapes": [{"kind": "round"}]}


def test_validate_settings__all_faults_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        validate_settings(Drawing, {"titel": 1, "first": {"kind": "round", "radius": 0}}, where="my.yaml")
    assert [line.split(": ")[:2] for line in str(error.value).splitlines()] == [
        ["my.yaml", "first.radius"],
        ["my.yaml", "titel"],
    ]


def test_split_pairs__commas_in_brackets_and_quotes_belong_to_the_value() -> None:
    text = "kind,a=1,b=[{x: 1, y: 2}, 3],c='d, e',f={g: [1, 2]}"
    assert split_pairs(text) == ["kind", "a=1", "b=[{x: 1, y: 2}, 3]", "c='d, e'", "f={g: [1, 2]}"]
    with pytest.raises(ConfigError, match="a bracket or a quote is not closed"):
        split_pairs("a,b=[1,2")


def test_named_values__names_may_hold_dots() -> None:
    assert named_values(["sd1.5=2", "x=0.5"], "--weight") == {"sd1.5": 2, "x": 0.5}
    with pytest.raises(ConfigError, match="--weight: 'x' is not NAME=VALUE"):
        named_values(["x"], "--weight")


class Numbers(Config):
    count: int = 1
    share: float | None = None
    either: int | bool = 0
    never: float | Literal[False] = 0.0


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("count=yes", "count is true; expected a number"),
        ("share=false", "share is false; expected a number"),
        ("share=.nan", "share: input should be a finite number"),
        ("never=.inf", "finite number"),
    ],
)
def test_apply_settings__numbers_that_are_none(pair, said):
    with pytest.raises(ConfigError, match=said):
        apply_settings(Numbers, {}, [pair])


def test_apply_settings__yes_and_no_where_they_may_stand():
    assert apply_settings(Numbers, {}, ["either=yes", "never=no"]).model_dump()["either"] is True
