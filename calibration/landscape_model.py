"""The statistical model of the scores, and the Gibbs steps of its parameters.

For city i and dimension k

    x_ik = alpha_k + gamma_k E_ik + delta_k P_i + R_(region of i, k) + U_(area of i, k) + e_ik,
    e_i ~ N(0, Sigma),  R_gk ~ N(0, rho_k^2),  U_ak ~ N(0, tau_k^2),

with E the standardised evidence (`calibration.landscape_evidence`), P the standardised logarithm of
population. Sigma carries what dimensions have in common beyond that, so that the composite, which
is met exactly, informs each of them. All of it is conditioned on the constraints and on the scale
(50 to 100): the joint density of scores and parameters is cut to the matrices that meet them, so
the parameters' full conditionals are the usual conjugate ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from calibration.landscape_evidence import evidence, size
from sim.cities import Cities, load_cities

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

REGIONS: dict[str, str] = {
    **dict.fromkeys(["US"], "United States"),
    **dict.fromkeys(["CA", "AU", "NZ"], "Canada and Oceania"),
    **dict.fromkeys(
        ["AT", "BE", "CH", "DE", "DK", "FI", "FR", "GB", "IE", "NL", "NO", "SE"],
        "Western and Northern Europe",
    ),
    **dict.fromkeys(
        ["CZ", "ES", "GR", "HU", "IT", "PL", "PT", "RU"], "Southern and Eastern Europe"
    ),
    **dict.fromkeys(["CN"], "China, mainland"),
    **dict.fromkeys(["HK", "IL", "JP", "KR", "MO", "SG", "TW"], "Advanced Asia"),
    **dict.fromkeys(["AE", "ID", "IN", "MY", "TH", "TR", "VN"], "Emerging Asia"),
    **dict.fromkeys(["AR", "BR", "CL", "MX", "ZA"], "Latin America and Africa"),
}
"""Region of each migration area."""


@dataclass(frozen=True)
class Prior:
    """Hyperparameters, index points unless said otherwise.

    The levels follow the printed shares where there are any (economy: 70 % of cities from 55 to 75;
    culture: 40 % above 90; ecology: 88 % above 80; welfare: 72 % above 75), and are wide where
    there are none (innovation, public life). Public life falls with size and innovation rises, as
    the text on figures 4 and 8 says.

    Attributes
    ----------
    level, level_sd : mean and sd of alpha
    slope, slope_sd : of gamma, points a standard deviation of the evidence
    size, size_sd : of delta, points a standard deviation of log population
    residual_sd : sds of the prior guess of Sigma
    common, adverse : its correlations among the first five dimensions, and of these with public
        life
    degrees : degrees of freedom of its inverse Wishart prior (7 and more; weight in cities)
    region_sd, area_sd : prior guesses of rho and tau, with ``effect_shape`` as inverse gamma shape
    concentration : of the symmetric Dirichlet prior of the weights
    """

    level: tuple[float, ...] = (67.0, 70.0, 86.0, 87.0, 80.0, 80.0)
    level_sd: tuple[float, ...] = (6.0, 8.0, 5.0, 5.0, 6.0, 8.0)
    slope: tuple[float, ...] = (3.0, 5.0, 3.0, 3.0, 3.0, 3.0)
    slope_sd: tuple[float, ...] = (2.0, 2.5, 2.0, 2.0, 2.0, 2.0)
    size: tuple[float, ...] = (0.0, 1.5, 0.0, 0.0, 0.0, -1.5)
    size_sd: tuple[float, ...] = (1.5, 1.5, 1.5, 1.5, 1.5, 1.5)
    residual_sd: tuple[float, ...] = (7.0, 6.0, 5.0, 4.5, 5.0, 7.0)
    common: float = 0.5
    adverse: float = -0.4
    degrees: float = 20.0
    region_sd: float = 4.0
    area_sd: float = 2.0
    effect_shape: float = 3.0
    concentration: float = 6.0

    def covariance(self) -> Array:
        """Return the prior guess of Sigma, shape (6, 6)."""
        corr = np.full((6, 6), self.common)
        corr[5, :] = corr[:, 5] = self.adverse
        np.fill_diagonal(corr, 1.0)
        sd = np.array(self.residual_sd)
        result: Array = corr * np.outer(sd, sd)
        return result


@dataclass
class Parameters:
    """A point in the space of the model's parameters.

    Attributes
    ----------
    fixed : (3, 6) alpha, gamma, delta
    region : (regions, 6) R
    area : (areas, 6) U
    region_var, area_var : (6,) rho^2, tau^2
    sigma : (6, 6)
    """

    fixed: Array
    region: Array
    area: Array
    region_var: Array
    area_var: Array
    sigma: Array


@dataclass
class Model:
    """Data and prior of the model, and its Gibbs steps.

    Attributes
    ----------
    features : float64 array, shape (3, C, 6)
        One, evidence, size.
    region_of, area_of : int64 arrays, shape (C,)
    prior : Prior
    """

    features: Array
    region_of: Ints
    area_of: Ints
    prior: Prior = field(default_factory=Prior)

    @classmethod
    def of(cls, cities: Cities | None = None, prior: Prior | None = None) -> Model:
        """Return the model of the 120 cities."""
        cities = cities or load_cities()
        e = evidence(cities)
        p = np.repeat(size(cities)[:, None], 6, axis=1)
        areas = [cities.area_names[a] for a in cities.area_of_city]
        names = sorted(set(REGIONS.values()))
        return cls(
            features=np.array([np.ones_like(e), e, p]),
            region_of=np.array([names.index(REGIONS[a]) for a in areas]),
            area_of=np.asarray(cities.area_of_city, np.int64),
            prior=prior or Prior(),
        )

    def initial(self, rng: np.random.Generator) -> Parameters:
        """Draw a point to start from, out of the prior of the fixed effects."""
        p = self.prior
        mean = np.array([p.level, p.slope, p.size])
        sd = np.array([p.level_sd, p.slope_sd, p.size_sd])
        regions, areas = self.region_of.max() + 1, self.area_of.max() + 1
        return Parameters(
            fixed=mean + sd * rng.standard_normal(mean.shape),
            region=p.region_sd * rng.standard_normal((regions, 6)),
            area=p.area_sd * rng.standard_normal((areas, 6)),
            region_var=np.full(6, p.region_sd**2),
            area_var=np.full(6, p.area_sd**2),
            sigma=p.covariance(),
        )

    def mean(self, q: Parameters) -> Array:
        """Return the prior mean of every cell, shape (C, 6)."""
        result: Array = np.einsum("aik,ak->ik", self.features, q.fixed)
        return result + q.region[self.region_of] + q.area[self.area_of]

    def update(self, x: Array, q: Parameters, rng: np.random.Generator) -> None:
        """Draw every block of parameters from its full conditional, given scores x (C, 6)."""
        omega: Array = np.asarray(np.linalg.inv(q.sigma), float)
        q.fixed = self._fixed(x - q.region[self.region_of] - q.area[self.area_of], omega, rng)
        base = x - np.einsum("aik,ak->ik", self.features, q.fixed)
        q.region = _effects(base - q.area[self.area_of], self.region_of, q.region_var, omega, rng)
        q.area = _effects(base - q.region[self.region_of], self.area_of, q.area_var, omega, rng)
        p = self.prior
        for effects, name, guess in (
            (q.region, "region_var", p.region_sd),
            (q.area, "area_var", p.area_sd),
        ):
            shape = p.effect_shape + len(effects) / 2
            rate = (p.effect_shape - 1) * guess**2 + (effects**2).sum(axis=0) / 2
            setattr(q, name, rate / rng.gamma(shape, size=6))
        rest = base - q.region[self.region_of] - q.area[self.area_of]
        scatter = (p.degrees - 7) * p.covariance() + rest.T @ rest
        q.sigma = inverse_wishart(p.degrees + len(x), scatter, rng)

    def _fixed(self, y: Array, omega: Array, rng: np.random.Generator) -> Array:
        f, p = self.features, self.prior
        mean = np.array([p.level, p.slope, p.size]).ravel()
        weight = 1 / np.array([p.level_sd, p.slope_sd, p.size_sd]).ravel() ** 2
        gram = np.einsum("aik,bil,kl->akbl", f, f, omega, optimize=True).reshape(18, 18)
        right = np.einsum("aik,ik->ak", f, y @ omega).ravel() + weight * mean
        return _normal(gram + np.diag(weight), right, rng).reshape(3, 6)


def _normal(precision: Array, right: Array, rng: np.random.Generator) -> Array:
    """Draw from N(P^-1 r, P^-1); leading axes are independent draws."""
    root = np.linalg.cholesky(precision)
    lifted = np.swapaxes(root, -1, -2)
    mean = np.linalg.solve(precision, right[..., None])
    noise = np.linalg.solve(lifted, rng.standard_normal(right.shape)[..., None])
    result: Array = (mean + noise)[..., 0]
    return result


def _effects(
    y: Array, group: Ints, variance: Array, omega: Array, rng: np.random.Generator
) -> Array:
    counts = np.bincount(group)
    sums = np.zeros((len(counts), 6))
    np.add.at(sums, group, y)
    precision = counts[:, None, None] * omega + np.diag(1 / variance)
    return _normal(precision, sums @ omega, rng)


def inverse_wishart(degrees: float, scatter: Array, rng: np.random.Generator) -> Array:
    """Draw from the inverse Wishart distribution by Bartlett's decomposition.

    Parameters
    ----------
    degrees : float
        Degrees of freedom, at least the dimension.
    scatter : float64 array, shape (d, d)
        Scale matrix; the mean is scatter / (degrees - d - 1).
    rng : numpy.random.Generator

    Returns
    -------
    float64 array, shape (d, d)
        Symmetric, positive definite.
    """
    d = len(scatter)
    lower = np.tril(rng.standard_normal((d, d)), -1)
    lower[np.diag_indices(d)] = np.sqrt(rng.chisquare(degrees - np.arange(d)))
    # scatter = L L', W^-1 = L A^-T A^-1 L' with A A' standard Wishart
    half = np.linalg.solve(lower, np.linalg.cholesky(scatter).T)
    result: Array = half.T @ half
    return result
