"""Damaged input of every kind is taken or refused by one line; `fuzzing.py` runs many more."""

from __future__ import annotations

import random

import fuzzing
import pytest

from sim.errors import LONGEST, UserError


def judged(attempts):
    found = list(attempts)
    bad = [one for one in found if one.outcome in ("fault", "slow")]
    assert not bad, f"{bad[0].outcome}: {bad[0].error!r} on {bad[0].data[:300]!r}"
    return {one.outcome for one in found}


@pytest.mark.parametrize("kind", fuzzing.READERS)
def test_readers_take_or_refuse(kind, tmp_path):
    assert judged(fuzzing.attempts(kind, 1000, 11, tmp_path)) == {"taken", "refused"}


def test_damaged_runs_are_refused(tmp_path):
    assert "refused" in judged(fuzzing.damaged_runs(200, 12, tmp_path))


def test_nothing_is_left_beside_the_input(tmp_path):
    list(fuzzing.attempts("scenario", 50, 13, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["input.yaml"]


def test_faults_are_seen(tmp_path):
    def broken(path):
        raise KeyError(path)

    assert fuzzing.attempt(broken, tmp_path, b"").outcome == "fault"
    data = {fuzzing.mutate("title: x\nseed: 1\n", random.Random(k)) for k in range(50)}
    assert len(data) > 40


def test_messages_stay_one_line_of_bounded_length():
    assert str(UserError("a\nb\u2028c")) == "a b c"
    message = str(UserError("x" * 100_000))
    assert len(message) <= LONGEST
    assert message.startswith("xxx")
