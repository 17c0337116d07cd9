"""The model card: written from the evidence, and found out when stale."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("scipy")

from calibration import model_card as card
from calibration.free import to_parameters
from sim.parameters import Parameters


@cache
def fresh() -> str:
    return card.render({}, Parameters(), per_city=16)


def test_the_card_names_every_target_once() -> None:
    from calibration.targets import load_targets

    for target in load_targets():
        assert fresh().count(f"| `{target.name}` |") == 1


def test_a_card_agrees_with_itself_and_with_small_changes() -> None:
    assert card.differences(fresh(), fresh()) == []
    assert card.differences("| a | 1.00 |", "| a | 1.01 |") == []


@pytest.mark.parametrize(
    ("old", "new"), [("| a | 1.00 |", "| a | 1.20 |"), ("a", "b"), ("a\nb", "a"), ("1 x", "1 y")]
)
def test_stale_cards_are_found_out(old: str, new: str) -> None:
    assert card.differences(old, new)


def test_other_parameters_make_a_card_stale() -> None:
    other = card.render({}, to_parameters({"obstacles.moving": 5.0}), per_city=16)
    assert card.differences(fresh(), other)


def test_wrong_evidence_is_refused(tmp_path: Path) -> None:
    from conftest import fault

    path = tmp_path / "no.json"
    path.write_text("{")
    assert "no JSON document" in str(fault(card.merge, {}, "recovery", path))


def test_the_kept_card_is_up_to_date() -> None:
    kept = Path(__file__).parents[1] / "docs" / "model-card.md"
    if not kept.is_file():
        pytest.skip("the documentation is not there")
    found = card.render(card.load_evidence(), Parameters())
    assert card.differences(kept.read_text(encoding="utf-8"), found) == []
