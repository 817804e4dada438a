"""Student's t for the scripts that give intervals; nothing beyond Python's own library."""

import math
from statistics import NormalDist, fmean, stdev

EXACT = {1: 12.706, 2: 4.303, 3: 3.182}


def quantile(freedom, tail=0.025):
    """The value that is exceeded with the chance `tail`: the expansion of Abramowitz and Stegun 26.7.5, at 2.5 %
    within 1 % from 4 degrees of freedom on and within 0.2 % from 8 on; below 4 from the tables."""
    if tail == 0.025 and freedom in EXACT:
        return EXACT[freedom]
    z = -NormalDist().inv_cdf(tail)
    terms = [z, (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384]
    return sum(term / freedom**power for power, term in enumerate(terms))


def interval(values):
    """Mean of two values or more, and its 95 % interval."""
    mean = fmean(values)
    half = quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half
