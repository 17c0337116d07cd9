"""Posterior draws, and what known parameters show of them: coverage, ranks, identifiability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from calibration.surrogate import Likelihood

Progress = Callable[[int, int, str], None]
WALKERS_A_PARAMETER = 4


def sample(
    likelihood: Likelihood,
    *,
    steps: int = 3000,
    burn: int = 1000,
    seed: int = 1,
    value: np.ndarray | None = None,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Draw from the posterior by emcee's affine-invariant ensemble (Foreman-Mackey et al. 2013).

    Parameters
    ----------
    likelihood : Likelihood
    steps, burn : int
        Steps kept and steps thrown away.
    seed : int
    value : (K,) array, optional
        Other data than the targets.
    start : (n, p) array, optional
        Points to start from; draws of the prior if not given.

    Returns
    -------
    (steps, walkers, p) float64 array
        Points of the unit cube.
    """
    import emcee

    box = likelihood.surrogate.box
    walkers = WALKERS_A_PARAMETER * len(box.free)
    begin = np.clip(box.draw(walkers, seed) if start is None else start, 1e-3, 1.0 - 1e-3)
    sampler = emcee.EnsembleSampler(
        walkers,
        len(box.free),
        likelihood.log_posterior,
        kwargs={"value": value},
        vectorize=True,
    )
    sampler.random_state = np.random.RandomState(seed).get_state()
    state = sampler.run_mcmc(begin, burn, skip_initial_state_check=True)
    sampler.reset()
    sampler.run_mcmc(state, steps)
    return sampler.get_chain()


def diagnostics(chain: np.ndarray, paths: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return split R-hat and bulk effective sample size of each parameter, by ArviZ.

    Walkers count as chains; being an ensemble they are not independent, so R-hat is a check of
    mixing rather than a proof.
    """
    from arviz_stats.base import array_stats

    return {
        path: {
            "rhat": float(array_stats.rhat(chain[:, :, k], 1, 0)),
            "ess": float(array_stats.ess(chain[:, :, k], 1, 0)),
        }
        for k, path in enumerate(paths)
    }


def summary(chain: np.ndarray, likelihood: Likelihood) -> dict[str, Any]:
    """Return mean, spread, 90 % interval and contraction of each parameter, and correlations.

    Contraction is ``1 - var(posterior) / var(prior)``: 0 where the targets taught nothing.
    """
    box = likelihood.surrogate.box
    draws, prior = box.values(chain.reshape(-1, chain.shape[2])), box.values(box.draw(20_000, 5))
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    contraction = 1.0 - draws.var(0) / prior.var(0)
    rows = {
        path: {
            "mean": float(draws[:, k].mean()),
            "sd": float(draws[:, k].std()),
            "low": float(low[k]),
            "high": float(high[k]),
            "contraction": float(contraction[k]),
        }
        for k, path in enumerate(box.paths)
    }
    correlation = np.corrcoef(draws, rowvar=False)
    pairs = [
        {"pair": [box.paths[i], box.paths[j]], "correlation": float(correlation[i, j])}
        for i, j in zip(*np.triu_indices(len(rows), 1), strict=True)
        if abs(correlation[i, j]) >= 0.4
    ]
    return {"parameters": rows, "correlated": sorted(pairs, key=lambda p: -abs(p["correlation"]))}


def recover(
    likelihood: Likelihood,
    *,
    data_sets: int = 100,
    steps: int = 400,
    burn: int = 300,
    seed: int = 3,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Recover known parameters from synthetic targets; simulation-based calibration.

    For each data set the truth is a draw of the prior, the data its moments with noise as large as
    the targets' spreads. If posterior and likelihood fit together, ranks of the truth among its
    posterior draws are uniform (Talts et al. 2018, arXiv:1804.06788).

    Parameters
    ----------
    likelihood : Likelihood
    data_sets : int
    steps, burn : int
        Of the sampler, for each data set.
    seed : int
    progress : callable, optional
        Called as ``progress(done, total, message)``.

    Returns
    -------
    dict
        ``data_sets``, and by parameter: bias (mean of posterior mean less truth, in prior
        spreads), rmse (likewise), coverage of the 50 % and 90 % intervals, contraction,
        rank_histogram (10 bins), rank_p (chi-square p-value of uniform ranks), identified.
    """
    from scipy.stats import chi2

    box, rng = likelihood.surrogate.box, np.random.default_rng(seed)
    truths = box.draw(data_sets, seed)
    ranks = np.empty_like(truths)
    means, spreads = np.empty_like(truths), np.empty_like(truths)
    inside = np.zeros((2, data_sets, truths.shape[1]), bool)
    for k, truth in enumerate(truths):
        if progress is not None:
            progress(k, data_sets, "recovering known parameters")
        value = likelihood.simulate(truth, rng)
        chain = sample(likelihood, steps=steps, burn=burn, seed=seed + k + 1, value=value)
        draws = chain[:: max(steps // 20, 1)].reshape(-1, truths.shape[1])
        ranks[k] = (draws < truth).mean(0)
        means[k], spreads[k] = draws.mean(0), draws.std(0)
        for row, level in enumerate((0.5, 0.9)):
            low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
            inside[row, k] = (truth >= low) & (truth <= high)
    prior = box.draw(20_000, 5).std(0)
    off = (means - truths) / prior
    result: dict[str, Any] = {"data_sets": data_sets, "parameters": {}}
    for j, path in enumerate(box.paths):
        histogram = np.histogram(ranks[:, j], bins=10, range=(0.0, 1.0))[0]
        expected = data_sets / 10.0
        statistic = float(((histogram - expected) ** 2 / expected).sum())
        contraction = float(1.0 - np.mean(spreads[:, j] ** 2) / prior[j] ** 2)
        result["parameters"][path] = {
            "bias": float(off[:, j].mean()),
            "rmse": float(np.sqrt((off[:, j] ** 2).mean())),
            "coverage_50": float(inside[0, :, j].mean()),
            "coverage_90": float(inside[1, :, j].mean()),
            "contraction": contraction,
            "rank_histogram": histogram.tolist(),
            "rank_p": float(chi2.sf(statistic, 9)),
            "identified": contraction >= IDENTIFIED,
        }
    return result


IDENTIFIED = 0.3
"""Least contraction at which a parameter is called identified by the targets."""
