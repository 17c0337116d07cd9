"""Weights of the indicators within their dimension, and of the dimensions in the composite."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from sim.errors import UserError
from sim.indicators import dimension_names, hierarchy, indicator_guess, indicator_name

Array = npt.NDArray[np.float64]

WEIGHTS = ("equal", "entropy", "pca")


def entropy_weights(normalised: Array) -> Array:
    r"""Return Shannon-entropy weights: an indicator that sets cities apart more weighs more.

    With :math:`p_{ij} = y_{ij}/\sum_i y_{ij}` (y on 0–1), :math:`e_j = -\sum_i p_{ij}\ln p_{ij} /
    \ln n` and :math:`w_j = (1 - e_j)/\sum_j (1 - e_j)`. Hwang and Yoon (1981), *Multiple Attribute
    Decision Making*, ch. 2.

    Parameters
    ----------
    normalised : numpy.ndarray of float64, shape (cities, indicators)
        Not all equal in any column; each is brought to 0–1 first.

    Returns
    -------
    numpy.ndarray of float64, shape (indicators,)
        Positive, summing to 1.
    """
    low, high = normalised.min(axis=0), normalised.max(axis=0)
    unit = (normalised - low) / (high - low)
    share = unit / unit.sum(axis=0)
    log_share = np.log(share, where=share > 0, out=np.zeros_like(share))
    diversity = 1.0 + (share * log_share).sum(axis=0) / np.log(len(share))
    return diversity / diversity.sum()


def pca_weights(normalised: Array) -> Array:
    r"""Return weights from the principal components of the correlation matrix.

    With eigenvalues :math:`\lambda_k \ge 1` (Kaiser's rule) and unit eigenvectors :math:`v_k`:
    :math:`w_j = \sum_k \lambda_k v_{jk}^2 / \sum_k \lambda_k`, that is each indicator's squared
    loadings on the kept components, as shares. After Nicoletti, Scarpetta and Boylaud (2000), OECD
    Economics Department Working Paper 226, as told in the *Handbook*, step 6; without rotation.

    Parameters
    ----------
    normalised : numpy.ndarray of float64, shape (cities, indicators)
        Not all equal in any column.

    Returns
    -------
    numpy.ndarray of float64, shape (indicators,)
        Not negative, summing to 1.
    """
    eigenvalues, vectors = np.linalg.eigh(np.corrcoef(normalised, rowvar=False))
    kept = np.where(eigenvalues >= 1 - 1e-9, eigenvalues, 0.0)
    return (kept * vectors**2).sum(axis=1) / kept.sum()


def resolve_weights(
    weights: str | Mapping[str, float], normalised: Array, member: Array
) -> tuple[Array, Array]:
    """Turn the user's choice into weights that sum to one.

    Parameters
    ----------
    weights : str or mapping
        One of `WEIGHTS`, or relative weights by dimension or indicator name (others 1).
    normalised : numpy.ndarray of float64, shape (cities, 24)
        Normalised indicators, for the schemes that look at them.
    member : numpy.ndarray of float64, shape (24, 6)
        1 where the indicator belongs to the dimension, else 0.

    Returns
    -------
    within : numpy.ndarray of float64, shape (24,)
        Summing to 1 in each dimension.
    over : numpy.ndarray of float64, shape (6,)
        Summing to 1.

    Raises
    ------
    UserError
        For an unknown name, a weight that is negative or no number, or weights that are all zero.
    """
    if isinstance(weights, Mapping):
        indicator, dimension = _given(weights)
    elif weights == "equal":
        indicator, dimension = np.ones(len(member)), np.ones(member.shape[1])
    else:
        indicator = entropy_weights(normalised) if weights == "entropy" else pca_weights(normalised)
        dimension = indicator @ member
    sums = indicator @ member
    for total, name in zip(sums, dimension_names(), strict=True):
        if total <= 0:
            raise UserError(f"weights: all indicators of '{name}' weigh nothing; raise one of them")
    if dimension.sum() <= 0:
        raise UserError("weights: all six dimensions weigh nothing; raise one of them")
    return indicator / (member @ sums), dimension / dimension.sum()


def _names() -> list[str]:
    return hierarchy()["indicator"].tolist()


def _given(weights: Mapping[str, float]) -> tuple[Array, Array]:
    indicator = dict.fromkeys(_names(), 1.0)
    dimension = dict.fromkeys(dimension_names(), 1.0)
    for word, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float, np.number)):
            raise UserError(f"weights: '{word}' has weight '{weight}', which is not a number")
        if not np.isfinite(weight) or weight < 0:
            raise UserError(f"weights: '{word}' has weight {weight}; give a number from 0 up")
        if word in dimension:
            dimension[word] = float(weight)
            continue
        try:
            indicator[indicator_name(word)] = float(weight)
        except UserError:
            guess = indicator_guess(str(word), *dimension)
            raise UserError(f"weights: '{word}' is no dimension or indicator{guess}") from None
    return np.array([*indicator.values()]), np.array([*dimension.values()])
