"""Talentflow's simulator: cities, agents, the yearly kernel, scenarios and results."""
