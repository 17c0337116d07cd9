"""Schedules: in which years an intervention acts, and how strongly."""

from __future__ import annotations

from pydantic import Field, model_validator

from sim.selectors import Sparse


def _year(description: str) -> int | None:
    return Field(
        None, ge=1900, le=2400, description=description, json_schema_extra={"unit": "calendar year"}
    )


def _span(description: str) -> int:
    return Field(0, ge=0, le=200, description=description, json_schema_extra={"unit": "years"})


class Years(Sparse):
    """From the first to the last calendar year, both included, at full strength."""

    start: int | None = _year("First year; null is the first year of the run.")
    end: int | None = _year("Last year; null is the last year of the run.")

    @model_validator(mode="after")
    def _ordered(self) -> Years:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"ends in {self.end}, before its start in {self.start}; swap them")
        return self

    def first(self, begin: int) -> int:
        """Return the first year that the schedule acts in, in a run whose first is ``begin``."""
        return begin if self.start is None else self.start

    def strength(self, year: int, begin: int) -> float:
        """Return the strength in a calendar year, 0 to 1.

        Parameters
        ----------
        year : int
            Calendar year.
        begin : int
            First calendar year with flows in the run.
        """
        return float(self.first(begin) <= year and (self.end is None or year <= self.end))


class Onset(Years):
    """A ramp up to full strength, which holds to the end."""

    ramp: int = _span(
        "Years before full strength: with 2, a third in the first year, two thirds in the second."
    )

    @model_validator(mode="after")
    def _reached(self) -> Onset:
        if self.start is not None and self.end is not None and self.start + self.ramp > self.end:
            raise ValueError(
                f"ends in {self.end}, before its ramp of {self.ramp} years from {self.start} is "
                f"over; end it in {self.start + self.ramp} or later, or shorten the ramp"
            )
        return self

    def strength(self, year: int, begin: int) -> float:
        """Return the strength in a calendar year, 0 to 1; see :meth:`Years.strength`."""
        risen = min(1.0, (year - self.first(begin) + 1) / (self.ramp + 1))
        return super().strength(year, begin) * risen


class Schedule(Onset):
    """A ramp up, full strength to the end, and a fade out after it."""

    fade: int = _span("Years after the end until nothing is left; the strength falls linearly.")

    @model_validator(mode="after")
    def _fading(self) -> Schedule:
        if self.fade and self.end is None:
            raise ValueError("fades but has no end; give the year from which it fades")
        return self

    def strength(self, year: int, begin: int) -> float:
        """Return the strength in a calendar year, 0 to 1; see :meth:`Years.strength`."""
        if self.end is not None and year > self.end:
            return max(0.0, 1.0 - (year - self.end) / (self.fade + 1))
        return super().strength(year, begin)
