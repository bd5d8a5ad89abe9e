"""The frame: peers in an environment of their own, one PostgreSQL, fresh processes in interleaved rounds, ratios.

A measurement (``benchmarks/measurements``) says what to run and what to aim at; everything here knows nothing of what
is measured. Figures of two runs are not comparable on a shared machine, ratios within one run are: so every case of a
measurement takes its turn in every round, and a peer is always in the same run.
"""
