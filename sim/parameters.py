"""Every number of the model's behaviour, in one typed place.

Each parameter states its unit, its plausible range (the bounds that validation enforces) and where
its value comes from. Values marked *estimated* are judgements; the others are taken from the
publication named. What ``talentflow calibrate`` has fitted (``sim/data/calibrated.json``) takes the
place of the default written here, which was where it began. Groups follow the order of a year in
the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

FIELDS = (
    "ai_computing",
    "integrated_circuits",
    "biomedicine_health",
    "engineering",
    "natural_science",
    "digital_finance",
    "other",
)
TIERS = ("base", "high", "top")
STAGES = ("student", "early", "mid", "senior")

_SHARE = Annotated[float, Field(ge=0.0, le=1.0)]
_FACTOR = Annotated[float, Field(ge=0.0, le=10.0)]
Weights = Annotated[tuple[_FACTOR, ...], Field(min_length=6, max_length=6)]
PerField = Annotated[tuple[_FACTOR, ...], Field(min_length=len(FIELDS), max_length=len(FIELDS))]
PerTier = Annotated[tuple[_FACTOR, ...], Field(min_length=len(TIERS), max_length=len(TIERS))]
PerStage = Annotated[tuple[_FACTOR, ...], Field(min_length=len(STAGES), max_length=len(STAGES))]
PerVisaClass = Annotated[tuple[_FACTOR, ...], Field(min_length=5, max_length=5)]


def _p(
    default: Any,
    unit: str,
    source: str,
    description: str,
    ge: float | None = None,
    le: float | None = None,
) -> Any:
    return Field(
        default,
        ge=ge,
        le=le,
        description=description,
        json_schema_extra={"unit": unit, "source": source},
    )


class Group(BaseModel):
    """A group of parameters: frozen, without unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Needs(Group):
    """What agents want of a city: weights of the six dimensions and aspiration levels."""

    weights_student: Weights = _p(
        (0.12, 0.20, 0.20, 0.08, 0.25, 0.15),
        "share",
        "estimated: Maslow's layers read as in B.11; study places and openness first",
        "Mean need weights of students, in the order of the six dimensions.",
    )
    weights_early: Weights = _p(
        (0.22, 0.20, 0.13, 0.08, 0.15, 0.22),
        "share",
        "estimated: income and housing weigh most for starters (B.14, 3-5 year tenure group)",
        "Mean need weights of early-career talent.",
    )
    weights_mid: Weights = _p(
        (0.20, 0.17, 0.10, 0.12, 0.21, 0.20),
        "share",
        "estimated: families weigh schools and doctors (B.4, four reasons for leaving)",
        "Mean need weights of mid-career talent.",
    )
    weights_senior: Weights = _p(
        (0.14, 0.16, 0.12, 0.20, 0.22, 0.16),
        "share",
        "estimated: health and environment grow with age",
        "Mean need weights of senior talent.",
    )
    innovation_by_field: PerField = _p(
        (1.6, 1.4, 1.2, 1.0, 1.4, 1.0, 0.7),
        "factor",
        "B.14: 44 % of AI talent rank frontier projects first, 27 % of others (ratio 1.6); "
        "other fields estimated",
        "Factor on the weight of innovation potential, by field.",
    )
    innovation_by_tier: PerTier = _p(
        (0.9, 1.2, 1.5),
        "factor",
        "estimated: the most productive follow laboratories and peers",
        "Factor on the weight of innovation potential, by tier.",
    )
    taste_spread: float = _p(
        0.5, "log points", "estimated", "Spread of personal need weights (lognormal).", 0.0, 2.0
    )
    cost_spread: float = _p(
        0.4,
        "log points",
        "estimated",
        "Spread of cost sensitivity, which scales the weight of public life (lognormal).",
        0.0,
        2.0,
    )
    aspiration_mean: Annotated[tuple[float, ...], Field(min_length=6, max_length=6)] = _p(
        (70.0, 68.0, 86.0, 86.0, 78.0, 78.0),
        "index points",
        "estimated: near the middle of each dimension in the reconstructed landscape",
        "Mean aspiration level on each dimension before adaptation.",
    )
    aspiration_by_tier: Annotated[tuple[float, ...], Field(min_length=3, max_length=3)] = _p(
        (-2.0, 3.0, 6.0),
        "index points",
        "estimated",
        "Shift of all aspiration levels by tier.",
    )
    aspiration_spread: float = _p(
        6.0, "index points", "estimated", "Spread of personal aspiration levels.", 0.0, 30.0
    )
    adaptation: float = _p(
        0.4,
        "share",
        "estimated; hedonic adaptation, Frederick and Loewenstein (1999)",
        "Share of the gap to the present city's level that aspirations close in the long run.",
        0.0,
        1.0,
    )
    adaptation_years: float = _p(
        5.0, "years", "estimated", "Time constant of adaptation.", 0.1, 50.0
    )


class Preference(Group):
    """How needs and scores make utility: push, pull, loss aversion, Maslow's gate."""

    beta: float = _p(
        0.5,
        "utility per 10 index points",
        "estimated by a coarse search for plausible mobility and ranks, to be calibrated; skilled "
        "migrants follow rewards (Grogger and Hanson 2011)",
        "Utility of ten points of surplus over aspiration on every dimension.",
        0.0,
        5.0,
    )
    loss_aversion: float = _p(
        2.25,
        "ratio",
        "Tversky and Kahneman (1992)",
        "How much more ten points of lack weigh than ten points of surplus.",
        1.0,
        5.0,
    )
    gate: float = _p(
        0.5,
        "per 10 index points",
        "estimated; Maslow's order of needs as in B.11",
        "How fast unmet needs of a lower layer shrink the pull of the layers above.",
        0.0,
        10.0,
    )
    size: float = _p(
        0.7,
        "elasticity",
        "estimated; gravity studies find elasticities up to about one (Beine, Bertoli and "
        "Fernandez-Huertas Moraga 2016)",
        "Elasticity of a destination's weight to its opportunities (its talent stock).",
        0.0,
        2.0,
    )


class Obstacles(Group):
    """What stands between origin and destination (intervening obstacles, Lee 1966)."""

    distance: float = _p(
        0.25,
        "utility per log unit of (1 + km/100)",
        "estimated from the distance elasticity of scholars' moves, about -0.3 to -0.5",
        "Cost of distance.",
        0.0,
        5.0,
    )
    border: float = _p(
        0.5,
        "utility",
        "estimated: international moves are the smaller part of all moves",
        "Cost of crossing the border of a migration area.",
        0.0,
        10.0,
    )
    visa: float = _p(
        0.45,
        "utility",
        "estimated; direction from Ortega and Peri (2013)",
        "Cost of the hardest visa regime.",
        0.0,
        10.0,
    )
    visa_by_class: PerVisaClass = _p(
        (0.0, 0.0, 0.35, 0.7, 1.0),
        "share of the hardest",
        "estimated: ordinal classes, see sim/data/README.md",
        "Cost of each visa class, none to restricted.",
    )
    language: float = _p(
        0.25,
        "utility",
        "Adsera and Pytlikova (2015): flows rise with linguistic proximity; size estimated",
        "Cost of having no language in common.",
        0.0,
        10.0,
    )
    settlement: float = _p(
        0.3,
        "utility",
        "estimated: household registration and recognition of credentials (B.1, B.14)",
        "Cost of the hardest settlement (registration, credentials, social insurance).",
        0.0,
        10.0,
    )
    moving: float = _p(
        3.6,
        "utility",
        "estimated by a coarse search: sets the share of lookers who move, so that about 2 % of "
        "talent moves city in a year",
        "Fixed cost of any move, beside what the obstacles of the pair add.",
        0.0,
        20.0,
    )
    visa_by_tier: PerTier = _p(
        (1.15, 0.85, 0.6), "factor", "estimated: talent schemes favour the top", "Visa by tier."
    )
    settlement_by_tier: PerTier = _p(
        (1.15, 0.85, 0.6),
        "factor",
        "estimated: settlement quotas favour the top (B.14)",
        "Settlement by tier.",
    )
    settlement_by_field: PerField = _p(
        (0.9, 0.9, 1.5, 1.0, 0.9, 1.0, 1.0),
        "factor",
        "estimated: health professions are licensed",
        "Settlement by field.",
    )
    language_by_field: PerField = _p(
        (0.8, 0.8, 1.2, 0.9, 0.7, 1.0, 1.2),
        "factor",
        "estimated: science and computing work in English",
        "Language by field.",
    )
    distance_by_stage: PerStage = _p(
        (0.9, 0.9, 1.1, 1.2),
        "factor",
        "estimated: families lengthen distances",
        "Distance by career stage.",
    )
    visa_by_stage: PerStage = _p(
        (0.7, 1.0, 1.0, 1.1),
        "factor",
        "estimated: student visas are easier than work permits",
        "Visa by career stage.",
    )


class Ties(Group):
    """What lowers the obstacles: home, compatriots and colleagues already there."""

    home_city: float = _p(
        1.0,
        "utility",
        "estimated: about one move in four is a return (Azose and Raftery 2019)",
        "Pull of the home city on those who live elsewhere.",
        0.0,
        10.0,
    )
    home_area: float = _p(
        0.3, "utility", "estimated, as above", "Pull of the home country's cities.", 0.0, 10.0
    )
    conationals: float = _p(
        0.25,
        "utility per log unit of (1 + per cent)",
        "Beine, Docquier and Ozden (2011): diasporas raise flows; size estimated",
        "Pull of fellow citizens already in a foreign city, by their share of its stock.",
        0.0,
        5.0,
    )
    colleagues: float = _p(
        0.15,
        "utility per log unit of (1 + per mille)",
        "estimated; co-authorship precedes moves",
        "Pull of people who went there from the same city in recent years.",
        0.0,
        5.0,
    )
    memory: float = _p(
        0.8,
        "share a year",
        "estimated",
        "Share of the colleague network that persists from year to year.",
        0.0,
        0.99,
    )


class Consider(Group):
    """Who looks around in a year."""

    peak_rate: float = _p(
        0.35,
        "probability a year",
        "estimated: sets the level of mobility together with obstacles.moving",
        "Probability that a newcomer of the most mobile age looks around.",
        0.0,
        1.0,
    )
    ceiling: float = _p(
        0.95, "probability a year", "convention", "Highest probability to look.", 0.0, 1.0
    )
    labour_peak: float = _p(
        0.06, "rate", "Rogers and Castro (1981), standard schedule", "a2.", 0.0, 1.0
    )
    labour_decline: float = _p(
        0.10, "per year", "Rogers and Castro (1981), standard schedule", "alpha2.", 0.0, 1.0
    )
    labour_position: float = _p(
        20.0, "years of age", "Rogers and Castro (1981), standard schedule", "mu2.", 15.0, 40.0
    )
    labour_rise: float = _p(
        0.40, "per year", "Rogers and Castro (1981), standard schedule", "lambda2.", 0.01, 5.0
    )
    constant: float = _p(
        0.003, "rate", "Rogers and Castro (1981), standard schedule", "c.", 0.0, 0.1
    )
    attachment: float = _p(
        0.06,
        "per year in the city",
        "estimated; cumulative inertia (McGinnis 1968)",
        "Rate at which years in the city lower the probability to look.",
        0.0,
        1.0,
    )
    attachment_floor: float = _p(
        0.35, "share", "estimated", "Least factor that attachment can reach.", 0.0, 1.0
    )
    push: float = _p(
        0.3,
        "per 10 index points",
        "estimated",
        "How much the lack of the present city raises the probability to look.",
        0.0,
        10.0,
    )
    graduation: float = _p(
        2.0,
        "factor",
        "estimated: the graduate stage is where talent is lost or kept (B.14)",
        "Factor on looking in the year of graduation.",
        1.0,
        10.0,
    )


class Choose(Group):
    """The nested logit: stay or go, then where."""

    dissimilarity: float = _p(
        0.8,
        "ratio",
        "estimated; (0, 1] by random-utility theory (McFadden 1978)",
        "Dissimilarity of the go nest: 1 is the plain logit, less means closer substitutes.",
        0.3,
        1.0,
    )


class Life(Group):
    """Entry, graduation, promotion and retirement."""

    entry_age: int = _p(18, "years of age", "convention", "Youngest age at entry.", 15, 30)
    entry_age_span: int = _p(
        5, "years", "estimated", "Entrants are up to this many years older.", 1, 20
    )
    study_years: float = _p(
        4.5,
        "years",
        "estimated: length of a first degree, with some going on",
        "Mean years of study: sets yearly entries from the stock of students.",
        1.0,
        12.0,
    )
    last_study_age: int = _p(32, "years of age", "estimated", "Age of certain graduation.", 20, 45)
    mid_rate: float = _p(
        0.12, "probability a year", "estimated", "Promotion of early to mid career.", 0.0, 1.0
    )
    mid_age: int = _p(28, "years of age", "estimated", "Youngest age of that promotion.", 18, 60)
    senior_rate: float = _p(
        0.08, "probability a year", "estimated", "Promotion of mid career to senior.", 0.0, 1.0
    )
    senior_age: int = _p(38, "years of age", "estimated", "Youngest age of that.", 18, 70)
    promotion_by_tier: PerTier = _p(
        (0.9, 1.3, 1.8), "factor", "estimated", "Factor on promotion, by tier."
    )
    retirement_age: int = _p(
        55, "years of age", "estimated: OECD effective exit ages 60-66", "First exits.", 40, 75
    )
    last_age: int = _p(70, "years of age", "convention", "Age of certain exit.", 45, 100)

    @model_validator(mode="after")
    def _ordered(self) -> Life:
        if self.last_age <= self.retirement_age:
            raise ValueError("last_age must be above retirement_age")
        if self.last_study_age <= self.entry_age + self.entry_age_span:
            raise ValueError("last_study_age must be above entry_age + entry_age_span")
        return self


class People(Group):
    """Who the agents are at the start and at entry."""

    field_shares: PerField = _p(
        (0.07, 0.02, 0.14, 0.16, 0.06, 0.22, 0.33),
        "share",
        "estimated after the fields of study of tertiary-educated adults in OECD, Education at a "
        "Glance; the split of computing into AI and circuits is ours",
        "Shares of the seven fields.",
    )
    high_share: _SHARE = _p(0.15, "share", "estimated", "Mean share of the high tier.")
    top_share: _SHARE = _p(
        0.01, "share", "estimated: a tiny elite makes most of the value (B.14)", "Of the top tier."
    )
    tier_gradient: float = _p(
        0.5,
        "log points per 10 index points",
        "estimated from highly cited scientists by city (B.11 table 3)",
        "How much the odds of high and top tiers rise with a city's innovation potential.",
        0.0,
        3.0,
    )
    pareto: float = _p(
        1.16,
        "exponent",
        "the 80/20 rule of Pareto; B.14: a tiny elite creates about 90 % of the value",
        "Tail exponent of productivity.",
        1.01,
        5.0,
    )
    cohort_growth: float = _p(
        0.02,
        "per year",
        "estimated: tertiary enrolment has grown, so younger cohorts are larger",
        "Growth of successive cohorts, which shapes the ages at the start.",
        -0.05,
        0.1,
    )
    years_away: float = _p(
        8.0,
        "years",
        "estimated",
        "Mean years since arrival of those who live away from home at the start.",
        0.5,
        40.0,
    )
    local_share: _SHARE = _p(
        0.6,
        "share",
        "estimated: lifetime internal migration of the tertiary-educated",
        "Share of a city's own nationals whose home is that city.",
    )
    home_distance: float = _p(
        0.8, "elasticity", "estimated", "Distance decay of where others come from.", 0.0, 5.0
    )


class Feedback(Group):
    """How cities answer: yearly, bounded, drawn towards a target set by talent."""

    speed: float = _p(
        0.2,
        "share a year",
        "estimated",
        "Share of the gap between a score's deviation and its target closed in a year.",
        0.0,
        1.0,
    )
    bound: float = _p(
        15.0, "index points", "convention", "Largest deviation from the landscape.", 0.0, 50.0
    )
    innovation: float = _p(
        8.0,
        "index points per log unit of output",
        "estimated; agglomeration (Combes and Gobillon 2015), sign from B.11 (M8)",
        "Innovation potential gained by relative growth of talent output.",
        0.0,
        50.0,
    )
    elite: float = _p(
        3.0,
        "index points per log unit of top talent",
        "estimated; unicorns and laboratories follow top talent (B.11, M8)",
        "Innovation potential gained by relative growth of the top tier.",
        0.0,
        50.0,
    )
    economy: float = _p(
        5.0,
        "index points per log unit of output",
        "estimated; agglomeration (Combes and Gobillon 2015)",
        "Economic foundation gained by relative growth of talent output.",
        0.0,
        50.0,
    )
    openness: float = _p(
        2.0,
        "index points per 10 percentage points",
        "estimated; sign from B.11",
        "Cultural openness gained by a rise of the foreign share.",
        0.0,
        20.0,
    )
    congestion: float = _p(
        10.0,
        "index points per log unit of stock",
        "estimated; rents rise about 1 % with 1 % more people (Saiz 2007), sign from B.11 (M4)",
        "Public life lost to relative growth of the stock (rents, commutes).",
        0.0,
        50.0,
    )
    spillover: float = _p(
        0.15,
        "index points per point",
        "estimated; complementarity (B.11, M3)",
        "Social welfare gained by a gain of economy and innovation.",
        0.0,
        2.0,
    )
    opportunities: float = _p(
        0.5,
        "elasticity",
        "estimated; industry follows talent and talent industry (B.1, M12)",
        "How far opportunities follow a city's relative growth.",
        0.0,
        1.0,
    )


class Switches(Group):
    """Each term of the model can be turned off."""

    gate: bool = _p(True, "on/off", "-", "Maslow's gate.")
    loss_aversion: bool = _p(True, "on/off", "-", "Lacks weigh more than surpluses.")
    adaptation: bool = _p(True, "on/off", "-", "Aspirations adapt to the present city.")
    tastes: bool = _p(True, "on/off", "-", "Personal differences of weights and aspirations.")
    size: bool = _p(True, "on/off", "-", "Bigger cities offer more opportunities.")
    distance: bool = _p(True, "on/off", "-", "Obstacle: distance.")
    border: bool = _p(True, "on/off", "-", "Obstacle: border.")
    visa: bool = _p(True, "on/off", "-", "Obstacle: visa regime.")
    language: bool = _p(True, "on/off", "-", "Obstacle: language.")
    settlement: bool = _p(True, "on/off", "-", "Obstacle: settlement.")
    home: bool = _p(True, "on/off", "-", "Tie: home city and country.")
    conationals: bool = _p(True, "on/off", "-", "Tie: fellow citizens.")
    colleagues: bool = _p(True, "on/off", "-", "Tie: colleagues who went before.")
    age_schedule: bool = _p(True, "on/off", "-", "Looking depends on age.")
    attachment: bool = _p(True, "on/off", "-", "Looking falls with years in the city.")
    push: bool = _p(True, "on/off", "-", "Looking rises with what the city lacks.")
    graduation: bool = _p(True, "on/off", "-", "Looking rises at graduation.")
    nest: bool = _p(True, "on/off", "-", "Nested logit (off: plain logit).")
    ageing: bool = _p(True, "on/off", "-", "Agents age, graduate, are promoted and retire.")
    entry: bool = _p(True, "on/off", "-", "New students enter.")
    quotas: bool = _p(True, "on/off", "-", "Caps on arrivals bind.")
    feedback_innovation: bool = _p(True, "on/off", "-", "Talent raises innovation.")
    feedback_economy: bool = _p(True, "on/off", "-", "Talent raises the economy.")
    feedback_openness: bool = _p(True, "on/off", "-", "Foreign talent raises openness.")
    feedback_congestion: bool = _p(True, "on/off", "-", "Growth lowers public life.")
    feedback_spillover: bool = _p(True, "on/off", "-", "Value creation raises welfare.")
    feedback_opportunities: bool = _p(True, "on/off", "-", "Opportunities follow growth.")


def _take_calibrated(groups: dict[str, type[Group]]) -> None:
    """Make the calibrated values the defaults of their fields."""
    file = resources.files("sim").joinpath("data/calibrated.json")
    for path, value in json.loads(file.read_text(encoding="utf-8"))["parameters"].items():
        group, name = path.split(".")
        info = groups[group].model_fields[name]
        assert isinstance(info.json_schema_extra, dict)
        begun = f"begun at {info.default}: {info.json_schema_extra['source']}"
        info.json_schema_extra["source"] = f"estimated by calibration (docs/model-card.md); {begun}"
        info.default = value
    for kind in groups.values():
        kind.model_rebuild(force=True)


_take_calibrated(
    {
        "preference": Preference,
        "obstacles": Obstacles,
        "ties": Ties,
        "consider": Consider,
        "choose": Choose,
        "people": People,
    }
)


class Parameters(Group):
    """All parameters of the model, by group."""

    needs: Needs = Needs()
    preference: Preference = Preference()
    obstacles: Obstacles = Obstacles()
    ties: Ties = Ties()
    consider: Consider = Consider()
    choose: Choose = Choose()
    life: Life = Life()
    people: People = People()
    feedback: Feedback = Feedback()
    switches: Switches = Switches()

    def describe(self) -> Iterator[tuple[str, Any, str, str, str]]:
        """Yield (path, value, unit, source, description) of every parameter."""
        for group_name in type(self).model_fields:
            group = getattr(self, group_name)
            for name, info in type(group).model_fields.items():
                extra = info.json_schema_extra
                assert isinstance(extra, dict)
                yield (
                    f"{group_name}.{name}",
                    getattr(group, name),
                    str(extra["unit"]),
                    str(extra["source"]),
                    info.description or "",
                )

    def off(self, *terms: str) -> Parameters:
        """Return a copy with the named terms switched off.

        Parameters
        ----------
        *terms : str
            Names of :class:`Switches`.
        """
        switches = Switches.model_validate(self.switches.model_dump() | dict.fromkeys(terms, False))
        return self.model_copy(update={"switches": switches})
