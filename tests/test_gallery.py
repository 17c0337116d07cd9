"""The gallery: one command runs, draws and names every picture."""

from __future__ import annotations

import re

import pytest

from analysis import compare_plots, gallery
from analysis.kinds import KINDS
from sim.errors import UserError


def test_pictures_and_page_agree(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "KINDS", {k: KINDS[k] for k in ("city", "stock-fan", "mobility")})
    monkeypatch.setattr(gallery, "PAIRS", 2)
    monkeypatch.setattr(gallery, "SEEDS", 2)
    monkeypatch.setattr(gallery, "_of_landscape", lambda: iter(()))
    monkeypatch.setattr(compare_plots, "KINDS", {"effects": compare_plots.KINDS["effects"]})
    files = gallery.write_gallery(tmp_path, agents=15_000)
    page = (tmp_path / "gallery.md").read_text("utf-8")
    named = re.findall(r"\]\(images/(.*?)\)", page)
    assert named == ["city.png", "stock-fan.png", "mobility.png", "effects.png", "response.png"]
    assert [f.name for f in files] == [*named, "gallery.md"]
    for file in files[:-1]:
        assert file.read_bytes().startswith(b"\x89PNG")
    assert "with 15,000 agents" in page
    assert f"--kind city --city {gallery.CITY}`" in page


def test_no_source_tree_gets_one_line(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        gallery.write_gallery(tmp_path / "none")
