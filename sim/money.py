"""Money: what an intervention pays, in whole cents, and what it may spend."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from sim.selectors import Sparse

MOST, MOST_GRANT = 1e13, 1e8
"""Largest amounts, in units of the currency: sums of their cents still fit 64-bit integers."""


def cents(amount: float) -> int:
    """Return an amount of money as whole cents (round half to even)."""
    return round(amount * 100)


def _amount(description: str, unit: str, default: Any = None, most: float = MOST) -> Any:
    return Field(default, ge=0, le=most, description=description, json_schema_extra={"unit": unit})


def _code(word: str) -> str:
    if len(word) == 3 and word.isascii() and word.isalpha() and word.isupper():
        return word
    raise ValueError(f"'{word[:20]}' is no currency code; give three letters such as CNY or USD")


class Cost(Sparse):
    """A fixed yearly cost."""

    currency: Annotated[str, AfterValidator(_code)] = Field(
        description="Currency by its three-letter code, such as CNY."
    )
    per_year: float = _amount(
        "Cost of each selected city in each year in which the intervention acts.",
        "currency units a city and year",
        0.0,
    )


class Grants(Cost):
    """Payments to persons, limited by budgets. An agent is paid for all persons it stands for."""

    per_person: float = _amount(
        "Payment to each person.", "currency units a person", ..., MOST_GRANT
    )
    budget_per_year: float | None = _amount(
        "Most that is paid to persons in a year.", "currency units a year"
    )
    budget_total: float | None = _amount(
        "Most that is paid to persons in all years.", "currency units"
    )

    @model_validator(mode="after")
    def _payable(self) -> Grants:
        if cents(self.per_person) == 0 and (self.budget_per_year, self.budget_total) != (
            None,
            None,
        ):
            raise ValueError("has a budget but pays nothing; raise per_person, or drop the budget")
        return self

    @property
    def limited(self) -> bool:
        """Whether there is a budget."""
        return self.budget_per_year is not None or self.budget_total is not None

    def left(self, ever: int, now: int) -> int | None:
        """Return the cents that the budgets still allow, or None where nothing limits them.

        Parameters
        ----------
        ever, now : int
            Cents paid to persons so far in all years, and in the present one.
        """
        left = []
        if self.budget_per_year is not None:
            left.append(cents(self.budget_per_year) - now)
        if self.budget_total is not None:
            left.append(cents(self.budget_total) - ever)
        return max(min(left), 0) if left else None


def _kind(value: Any) -> str:
    words = {"per_person", "budget_per_year", "budget_total"}
    grants = isinstance(value, Grants) or (isinstance(value, dict) and words & value.keys())
    return "grants" if grants else "cost"


AnyCost = Annotated[
    Annotated[Cost, Tag("cost")] | Annotated[Grants, Tag("grants")], Discriminator(_kind)
]
