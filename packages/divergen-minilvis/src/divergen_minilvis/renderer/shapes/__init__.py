"""Shape programs, grouped by kind; each module has a table `PROGRAMS` of name to `ShapeProgram`."""

from . import (
    animals,
    appliances,
    bags,
    bathroom,
    clothes,
    craft,
    electronics,
    figures,
    food,
    furniture,
    kitchen,
    sports,
    street,
    tools,
    toys,
    vehicles,
)

__all__ = ["MODULES"]

MODULES = (
    animals,
    appliances,
    bags,
    bathroom,
    clothes,
    craft,
    electronics,
    figures,
    food,
    furniture,
    kitchen,
    sports,
    street,
    tools,
    toys,
    vehicles,
)
