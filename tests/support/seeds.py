"""Random numbers of tests: the same in each run, others with AGGREGATOR_SEED=N or AGGREGATOR_SEED=random.

The number is printed, so that a run can be repeated.
"""

import os
import random
from random import Random

_GIVEN = os.environ.get("AGGREGATOR_SEED", "20261122")
SEED = random.SystemRandom().randrange(2**32) if _GIVEN == "random" else int(_GIVEN)


def printed_seed() -> int:
    """The seed of this run; pytest shows what a failed test printed."""
    print(f"AGGREGATOR_SEED={SEED}")
    return SEED


def drawn(*names: object) -> Random:
    """A stream of random numbers; another one for other names."""
    return Random(f"{printed_seed()} {' '.join(map(str, names))}")
