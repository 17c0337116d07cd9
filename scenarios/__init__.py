"""Scenarios that come with talentflow, as package data; :mod:`sim.scenario` reads them."""
