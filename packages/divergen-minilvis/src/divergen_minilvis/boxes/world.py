"""How a real object looks, and how a generated one: members of a box's families, in its finishes and lights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from divergen_records import derive_seed

from .. import renderer
from ..renderer.attributes import Attributes, parse_attributes
from ..renderer.materials import MATERIALS
from ..renderer.member import Member
from .box import Box, Habit, World

__all__ = ["generated_member", "real_light", "real_member"]


def real_light(box: Box, rng: np.random.Generator) -> str:
    """The light of a scene, by name; "" where the box has none."""
    if box.world is None:
        return ""
    names = sorted(box.world.lights)
    return names[int(rng.integers(len(names)))]


def real_member(box: Box, category: str, light: str, rng: np.random.Generator) -> Member | None:
    """A way to look that is drawn evenly from all; None where the box leaves it to the shape programs.

    Args:
        box: The box.
        category: A name that the renderer has a program for.
        light: Of the scene.
        rng: Random numbers.
    """
    world = box.world
    if world is None:
        return None
    family, finish = int(rng.integers(world.families)), int(rng.integers(world.finishes.number))
    pose = int(rng.integers(len(world.poses)))
    return _member(box, world, category, family, finish, pose, light)


def generated_member(box: Box, style: str, category: str, prompt: str, seed: int) -> Member | None:
    """What a generator draws; None where the box has no world.

    The prompt's words win over the finish, view and pose of the member when it is drawn; its light is looked up here.

    Args:
        box: The box.
        style: Rendering style of the generator.
        category: A name that the renderer has a program for.
        prompt: Plain English.
        seed: Of the picture.
    """
    world = box.world
    if world is None:
        return None
    rng = np.random.default_rng(derive_seed(seed, "box", box.name))
    habit = box.generators.get(style) or _everything(world)
    order = np.random.default_rng(derive_seed("box", box.name, "order", category))
    places = {"families": order.permutation(world.families), "finishes": order.permutation(world.finishes.number)}
    family = int(places["families"][habit.families[int(rng.integers(len(habit.families)))]])
    finish = int(places["finishes"][habit.finishes[int(rng.integers(len(habit.finishes)))]])
    pose = habit.poses[int(rng.integers(len(habit.poses)))]
    light = parse_attributes(prompt, category).light
    fault = _fault(habit, float(rng.random()))
    member = _member(box, world, category, family, finish, pose, light if light in world.lights else "", fault)
    return replace(member, light={**habit.shot, **member.light})


def _everything(world: World) -> Habit:
    return Habit(
        families=tuple(range(world.families)),
        finishes=tuple(range(world.finishes.number)),
        poses=tuple(range(len(world.poses))),
        faults={},
    )


def _fault(habit: Habit, draw: float) -> str:
    for name, share in habit.faults.items():
        draw -= share
        if draw < 0:
            return name
    return ""


def _member(
    box: Box, world: World, category: str, family: int, finish: int, pose: int, light: str, fault: str = ""
) -> Member:
    look = _finish(box, world, category, finish)
    place = world.poses[pose]
    return Member(
        family=derive_seed("box", box.name, "family", category, family),
        spread=world.spread,
        stretch=world.stretch,
        attributes=Attributes(
            colours=look.colours,
            material=look.material,
            pattern=look.pattern,
            condition=look.condition,
            view=place.view,
            pose=place.pose,
        ),
        light=world.lights[light].shot if light else {},
        fault=fault,
    )


def _finish(box: Box, world: World, category: str, number: int) -> Attributes:
    """A finish of a category: the same whenever it is asked for."""
    program, given = renderer.CATEGORIES[category], world.finishes
    rng = np.random.default_rng(derive_seed("box", box.name, "finish", category, number))
    kin = next((group for group in given.kin if program.material in group), ())
    condition = (str(rng.choice(given.conditions)),) if rng.random() < given.conditioned else ()
    if not kin or number == 0:
        colours = (str(rng.choice(program.colours)), str(rng.choice(program.accents)))
        return Attributes(colours=colours, condition=condition if number else ())
    material = str(rng.choice(kin))
    natural = MATERIALS[material].tint or (*program.colours, *given.colours)
    colours = (str(rng.choice(natural)), str(rng.choice(given.colours)))
    pattern = str(rng.choice(given.patterns)) if rng.random() < given.patterned else ""
    return Attributes(colours=colours, material=material, pattern=pattern, condition=condition)
