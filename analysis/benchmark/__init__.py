"""Benchmarks: talentflow against what people would otherwise write, and this machine's limits."""
