"""From parameters to the arrays that the kernel reads: needs, preferences, obstacles, ties."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from sim.cities import Cities
from sim.effects import Effects
from sim.kernel import Scalars, World
from sim.lanes import padded
from sim.obstacles import Obstacles
from sim.parameters import FIELDS, STAGES, TIERS, Parameters

MAX_YEARS = 60
_LOG2E = math.log2(math.e)
_TENS = 0.1
_NOWHERE = -1000.0  # the size of places that fill up a block of lanes


def quantiles(levels: int = 256) -> np.ndarray:
    """Return the standard normal's quantiles at the middle of ``levels`` equal steps, float64."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((k + 0.5) / levels) for k in range(levels)])


def rogers_castro(age: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Return the Rogers-Castro (1981) migration schedule without childhood, peak scaled to 1.

    ``a2 exp(-alpha2 (x - mu2) - exp(-lambda2 (x - mu2))) + c`` for ages ``x`` in years.
    """
    consider = parameters.consider

    def schedule(x: np.ndarray) -> np.ndarray:
        since = x - consider.labour_position
        return (
            consider.labour_peak
            * np.exp(
                -consider.labour_decline * since
                - np.exp(np.minimum(-consider.labour_rise * since, 700.0))
            )
            + consider.constant
        )

    return schedule(np.asarray(age, float)) / schedule(np.arange(0.0, 120.0, 0.1)).max()


def look_table(parameters: Parameters) -> np.ndarray:
    """Return the probability to look by age (128) and adult years in the city (61), float32."""
    consider, switches = parameters.consider, parameters.switches
    by_age = rogers_castro(np.arange(128), parameters)
    if not switches.age_schedule:
        by_age = np.full(128, by_age[18:66].mean())
    by_years = np.ones(MAX_YEARS + 1)
    if switches.attachment:
        decline = np.exp(-consider.attachment * np.arange(MAX_YEARS + 1))
        by_years = np.maximum(decline, consider.attachment_floor)
    return (consider.peak_rate * np.outer(by_age, by_years)).astype(np.float32)


def group_weights(parameters: Parameters) -> np.ndarray:
    """Return mean need weights (stages * fields * tiers, 6), float32; rows sum to about 1."""
    needs = parameters.needs
    stages = np.array(
        [needs.weights_student, needs.weights_early, needs.weights_mid, needs.weights_senior]
    )
    weights = np.empty((len(STAGES), len(FIELDS), len(TIERS), 6))
    weights[:] = stages[:, None, None, :]
    weights[..., 1] *= np.array(needs.innovation_by_field)[None, :, None]
    weights[..., 1] *= np.array(needs.innovation_by_tier)[None, None, :]
    return weights.reshape(-1, 6).astype(np.float32)


def group_friction(parameters: Parameters) -> np.ndarray:
    """Return each group's factors on distance, settlement, visa and language, float32 (G, 4)."""
    obstacles = parameters.obstacles
    friction = np.ones((len(STAGES), len(FIELDS), len(TIERS), 4))
    friction[..., 0] *= np.array(obstacles.distance_by_stage)[:, None, None]
    friction[..., 1] *= np.array(obstacles.settlement_by_field)[None, :, None]
    friction[..., 1] *= np.array(obstacles.settlement_by_tier)[None, None, :]
    friction[..., 2] *= np.array(obstacles.visa_by_tier)[None, None, :]
    friction[..., 2] *= np.array(obstacles.visa_by_stage)[:, None, None]
    friction[..., 3] *= np.array(obstacles.language_by_field)[None, :, None]
    return friction.reshape(-1, 4).astype(np.float32)


class Behaviour:
    """The fixed part of what agents see; `world` adds what changes from year to year.

    Parameters
    ----------
    parameters : Parameters
    cities : Cities
    obstacles : Obstacles
    reference : (C, 6) array
        Scores at the start, index points: aspirations adapt to them. (They do not follow later
        scores, so that a policy for one city changes nobody's view of another.)
    """

    def __init__(
        self, parameters: Parameters, cities: Cities, obstacles: Obstacles, reference: np.ndarray
    ) -> None:
        self.parameters = parameters
        self.cities = cities
        self.unit = _LOG2E / (parameters.choose.dissimilarity if parameters.switches.nest else 1.0)
        self.reference = np.ascontiguousarray(reference * _TENS, np.float32)
        self._pairs = self._fixed_pairs(obstacles)
        self._areas = self._fixed_areas(obstacles)
        self._tables = self._personal_tables()

    def _fixed_pairs(self, obstacles: Obstacles) -> np.ndarray:
        """Return distance, border and settlement costs, an empty row for ties: (C, 4, C)."""
        p, on = self.parameters.obstacles, self.parameters.switches
        rows = np.zeros((len(self.cities), 4, len(self.cities)))
        rows[:, 0] = p.distance * on.distance * np.log1p(obstacles.distance_km / 100.0)
        rows[:, 1] = p.border * on.border * ~obstacles.same_area
        rows[:, 2] = p.settlement * on.settlement * obstacles.settlement
        return rows

    def _fixed_areas(self, obstacles: Obstacles) -> np.ndarray:
        """Return visa and language costs, an empty row, and the pull of home: (A, 4, C)."""
        p, ties, on = self.parameters.obstacles, self.parameters.ties, self.parameters.switches
        areas, area_of_city = len(self.cities.area_names), self.cities.area_of_city
        rows = np.zeros((areas, 4, len(self.cities)))
        rows[:, 0] = p.visa * on.visa * np.array(p.visa_by_class)[obstacles.visa_class]
        rows[:, 1] = p.language * on.language * (1.0 - obstacles.language_of_area[:, area_of_city])
        rows[:, 3] = ties.home_area * on.home * self._at_home()
        return rows

    def _by_origin(self, rows: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Return `World.by_origin` of distance, border, settlement and colleagues (S, C, 4, C)."""
        distance, border, settlement, colleagues = np.moveaxis(rows, 2, 0)
        out = np.stack([distance, settlement, size + colleagues - border], axis=2) * self.unit
        by_origin = padded(out)
        by_origin[:, :, 2, out.shape[3] :] = _NOWHERE
        return by_origin

    def _by_area(self, rows: np.ndarray) -> np.ndarray:
        """Return `World.by_area` of visa, language, conationals and home area (S, A, 4, C)."""
        out = rows * self.unit
        out[:, :, 2] += out[:, :, 3]
        return padded(out)

    def _at_home(self) -> np.ndarray:
        """Return whether each city (column) lies in each area (row), bool (A, C)."""
        areas = np.arange(len(self.cities.area_names))
        return areas[:, None] == self.cities.area_of_city[None, :]

    def _personal_tables(self) -> dict[str, np.ndarray]:
        """Return the tables of personal differences, by quantile, tier or years."""
        needs, on = self.parameters.needs, self.parameters.switches
        z = quantiles() * on.tastes
        years = np.arange(MAX_YEARS + 1)
        by_tier = np.array(needs.aspiration_by_tier)[:, None]
        return {
            "weights": group_weights(self.parameters),
            "friction": group_friction(self.parameters),
            "taste": np.exp(needs.taste_spread * z).astype(np.float32),
            "cost": np.exp(needs.cost_spread * z).astype(np.float32),
            "aspiration": ((np.array(needs.aspiration_mean)[None, :] + by_tier) * _TENS).astype(
                np.float32
            ),
            "wish": (needs.aspiration_spread * _TENS * z).astype(np.float32),
            "adapt": (
                on.adaptation * needs.adaptation * -np.expm1(-years / needs.adaptation_years)
            ).astype(np.float32),
            "look": look_table(self.parameters),
            "scalars": self._scalars(),
        }

    def _scalars(self) -> np.ndarray:
        p, on = self.parameters, self.parameters.switches
        values = {
            "beta": p.preference.beta * self.unit,
            "loss": p.preference.loss_aversion if on.loss_aversion else 1.0,
            "gate": p.preference.gate * on.gate,
            "stay": p.obstacles.moving * self.unit,
            "home_city": p.ties.home_city * on.home * self.unit,
            "theta": p.choose.dissimilarity if on.nest else 1.0,
            "push": p.consider.push * on.push,
            "graduation": p.consider.graduation if on.graduation else 1.0,
            "ceiling": p.consider.ceiling,
        }
        return np.array([values[name] for name in Scalars._fields], np.float32)

    def world(
        self,
        scores: np.ndarray,
        opportunities: np.ndarray,
        by_area: np.ndarray,
        colleagues: np.ndarray,
        effects: Sequence[Effects] = (),
    ) -> World:
        """Return what agents see this year.

        Parameters
        ----------
        scores : (C, 6) array
            Dimension scores, index points.
        opportunities : (C,) array
            Size of each city as a destination, in any unit, positive.
        by_area : (C, A) array
            Residents by citizenship.
        colleagues : (C, C) array
            People who went from row to column in recent years, in the unit of ``by_area``.
        effects : sequence of Effects, optional
            What policies change, one entry a segment of agents; default: one that nothing changes.

        Returns
        -------
        World
        """
        p, on = self.parameters, self.parameters.switches
        size = p.preference.size * on.size * np.log(opportunities / opportunities.mean())
        stock = np.maximum(by_area.sum(1), 1)
        pairs, areas = self._pairs.copy(), self._areas.copy()
        network = np.log1p(1000.0 * colleagues / stock[:, None])
        pairs[:, 3] = p.ties.colleagues * on.colleagues * network
        share = np.log1p(100.0 * by_area.T / stock[None, :]) * ~self._at_home()
        areas[:, 2] = p.ties.conationals * on.conationals * share
        segments = effects or (Effects.none(len(self.cities), len(areas)),)
        fixed, unit = p.obstacles.moving, self.unit
        staying = np.stack([e.staying for e in segments]) * unit
        by_origin = np.stack([e.on_pairs(pairs, fixed) for e in segments])
        by_area = np.stack([e.on_areas(areas) for e in segments])
        return World(
            scores=padded(np.stack([(scores + e.scores).T for e in segments]) * _TENS),
            reference=self.reference,
            by_origin=self._by_origin(by_origin, size),
            by_area=self._by_area(by_area),
            staying=staying.astype(np.float32),
            looking=np.stack([e.looking for e in segments]).astype(np.float32),
            area_of_city=self.cities.area_of_city,
            **self._tables,
        )
