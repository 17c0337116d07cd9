"""Run the benchmark from a checkout: ``python benchmarks/run.py [options of talentflow bench]``."""

from analysis.benchmark.commands import main

if __name__ == "__main__":
    main()
