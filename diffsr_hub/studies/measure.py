"""What is compared of runs: a number of every evaluation, its unit, how it is written, and which way is better."""

from dataclasses import dataclass
from typing import Literal

from diffsr_hub.errors import unknown


@dataclass(frozen=True)
class Measure:
    """One number of every evaluation, the mean over its episodes."""

    name: str
    """its key in `evaluation.json`"""
    title: str
    """in words"""
    plural: str
    """of the title"""
    column: str
    """the title in the head of a table, where there is less room"""
    gain_format: str
    """how a gain is written, as of `format`"""
    large_gain: float
    """where the colours of gains end"""
    large_gain_text: str
    gain_unit: float | None = None
    """what a gain of 1 is, in the unit of the measure; None for what the reference learned in the task"""
    gain_unit_name: str = ""
    """of one such unit; empty where that is None, as are the next two"""
    gain_units_name: str = ""
    """of several, without context: on the axis of a picture"""
    gain_column: str = ""
    """of several, in the head of a table"""
    bounds: tuple[float, float] | None = None
    """the smallest and the largest possible value; None if there are none"""
    direction: Literal[1, -1] = 1
    """1 if a larger value is better, -1 if a smaller one is"""

    def value_title(self, value: str) -> str:
        """Of one number of a learning curve, `over_run` or `final`."""
        return f"final {self.title}" if value == "final" else f"{self.title} over the run"

    def definition_of_gain_unit(self, reference: str) -> str:
        """In a sentence below a table."""
        if self.gain_unit is not None:
            return f"for {self.plural} a {self.gain_unit_name}"
        change = "last evaluation less its first" if self.direction == 1 else "first evaluation less its last"
        return f"for {self.plural} what {reference} learned there, its {change}"

    def title_of_gain_unit(self, reference: str) -> str:
        """In the title of a picture."""
        return f"1: what {reference} learned in the task" if self.gain_unit is None else self.gain_units_name


RETURN = Measure(
    name="mean_return",
    title="return",
    plural="returns",
    column="return",
    gain_format="+.2f",
    large_gain=1.0,  # as much again as the reference learned
    large_gain_text="1",
)
SUCCESS = Measure(
    name="success_rate",
    title="success rate",
    plural="success rates",
    column="success",
    gain_format="+.1f",
    large_gain=100.0,  # from no success to full success
    large_gain_text="100 points",
    gain_unit=0.01,
    gain_unit_name="percentage point",
    gain_units_name="percentage points",
    gain_column="points of success",
    bounds=(0.0, 1.0),
)
MEASURES = {measure.name: measure for measure in (RETURN, SUCCESS)}
"""all, by name; a new one is an entry here"""


def measure_named(name: str) -> Measure:
    """One of `MEASURES`.

    Raises:
        UserError: There is none of this name.
    """
    if name not in MEASURES:
        raise unknown("measure", name, MEASURES)
    return MEASURES[name]
