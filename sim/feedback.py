"""Cities answer back: talent moves scores, yearly, bounded, towards a target set by growth."""

from __future__ import annotations

import numpy as np

from sim.lifecycle import Census
from sim.parameters import Parameters


def relative_growth(now: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return log growth of each city's count since the start, less that of all cities together.

    One is added to every count, so that an empty city has a finite growth.
    """
    world = np.log((now.sum() + 1.0) / (start.sum() + 1.0))
    return np.log((now + 1.0) / (start + 1.0)) - world


class Feedback:
    """Deviations of the scores from the landscape, and of opportunities from the start.

    Parameters
    ----------
    parameters : Parameters
    start : Census
        The population at the start.
    area_of_city : (C,) int16 array
    """

    def __init__(self, parameters: Parameters, start: Census, area_of_city: np.ndarray) -> None:
        self.parameters = parameters
        self.start = start
        self.area_of_city = area_of_city
        self.deviation = np.zeros((len(area_of_city), 6))
        self.growth = np.zeros(len(area_of_city))

    def foreign_share(self, census: Census) -> np.ndarray:
        """Return the share of residents who are citizens of another area, (C,)."""
        stock = census.stock
        own = census.by_area[np.arange(len(stock)), self.area_of_city]
        return (stock - own) / np.maximum(stock, 1)

    def target(self, census: Census) -> np.ndarray:
        """Return the deviation, in index points (C, 6), that this population would sustain."""
        p, on = self.parameters.feedback, self.parameters.switches
        output = relative_growth(census.product, self.start.product)
        elite = relative_growth(census.by_tier[:, -1], self.start.by_tier[:, -1])
        stock = relative_growth(census.stock, self.start.stock)
        foreign = self.foreign_share(census) - self.foreign_share(self.start)
        target = np.zeros_like(self.deviation)
        target[:, 0] = on.feedback_economy * p.economy * output
        target[:, 1] = on.feedback_innovation * (p.innovation * output + p.elite * elite)
        target[:, 2] = on.feedback_openness * p.openness * 10.0 * foreign
        target[:, 4] = on.feedback_spillover * p.spillover * (target[:, 0] + target[:, 1])
        target[:, 5] = -on.feedback_congestion * p.congestion * stock
        return np.clip(target, -p.bound, p.bound)

    def update(self, census: Census) -> None:
        """Move the deviations a year's way towards their targets."""
        self.deviation += self.parameters.feedback.speed * (self.target(census) - self.deviation)
        self.growth = relative_growth(census.stock, self.start.stock)

    def opportunities(self) -> np.ndarray:
        """Return each city's size as a destination: its stock at the start, moved by growth."""
        elasticity = (
            self.parameters.feedback.opportunities * self.parameters.switches.feedback_opportunities
        )
        return (self.start.stock + 1.0) * np.exp(elasticity * self.growth)
