#!/usr/bin/env python3
"""Makes harness/tests/data/statistics.json: reference values for the statistics module.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1
    venv/bin/python scripts/reference/statistics.py > harness/tests/data/statistics.json

Everything comes from SciPy's own functions, but for the interval of the bootstrap: SciPy draws its own
resamples, so that is compared within the error of drawing (hence the many resamples here).
"""

import json
import sys

import numpy
import scipy
from scipy import optimize, stats

random = numpy.random.default_rng(20261122)

SAMPLES = {
    "normal 5": random.normal(-0.02, 0.03, 5),
    "normal 15": random.normal(-0.02, 0.08, 15),
    "normal 40": random.normal(0.01, 0.3, 40),
    "heavy 25": 0.05 * random.standard_t(3, 25),
    "skewed 30": random.exponential(0.1, 30) - 0.1,
    "skewed 100": random.lognormal(-2.5, 0.8, 100),
    "pair 2": numpy.array([0.01, -0.03]),
}


def interval(values, tail):
    low, high = stats.t.interval(1 - 2 * tail, len(values) - 1, numpy.mean(values), stats.sem(values))
    return {"tail": tail, "low": low, "high": high}


def bca(values, tail):
    result = stats.bootstrap(
        (values,), numpy.mean, confidence_level=1 - 2 * tail, n_resamples=400_000, batch=10_000,
        method="BCa", rng=numpy.random.default_rng(1),
    ).confidence_interval
    return {"tail": tail, "low": result.low, "high": result.high}


def sample(name, values):
    exact = len(values) <= 15
    return {
        "name": name,
        "values": list(values),
        "mean": numpy.mean(values),
        "sd": numpy.std(values, ddof=1),
        "t": [interval(values, tail) for tail in (0.025, 0.05, 0.001)],
        "bca": [bca(values, tail) for tail in (0.025, 0.005)] if len(values) >= 15 else [],
        # Two-sided: the share of sign patterns whose mean is at least as far from 0.
        "sign_flip": stats.permutation_test(
            (values,), numpy.mean, permutation_type="samples", alternative="two-sided",
            n_resamples=numpy.inf if exact else 400_000, rng=numpy.random.default_rng(1),
        ).pvalue,
        "t_below_floor": {
            "floor": -0.05129,
            "p": stats.ttest_1samp(values, -0.05129, alternative="greater").pvalue,
        },
    }


def quantiles():
    grid = [(f, t) for f in (1, 2, 4.5, 9, 24, 99, 999) for t in (0.2, 0.05, 0.025, 0.001, 1e-5)]
    return [{"freedom": f, "tail": t, "value": stats.t.isf(t, f)} for f, t in grid]


def welch():
    rows = []
    for first, second in [("normal 5", "normal 40"), ("skewed 30", "heavy 25"), ("pair 2", "normal 15")]:
        a, b = SAMPLES[first], SAMPLES[second]
        result = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
        rows.append({"first": list(a), "second": list(b), "tail": 0.025, "low": result.low, "high": result.high})
    return rows


def power():
    """The distance that a one-sided test of n values with deviation 1 sees with a chance of 80 %."""
    rows = []
    for n in (3, 5, 10, 30, 100):
        for tail in (0.05, 0.025, 0.005):
            def seen(distance):
                return stats.nct.sf(stats.t.isf(tail, n - 1), n - 1, distance * n**0.5) - 0.8

            distance = optimize.brentq(seen, 1e-6, 40)
            rows.append({"count": n, "tail": tail, "distance": distance})
    return rows


def components():
    groups = [list(random.normal(mean, 0.02, 6)) for mean in random.normal(0, 0.05, 8)]
    result = stats.f_oneway(*groups)
    return {"groups": groups, "f": result.statistic}


json.dump(
    {
        "scipy": scipy.__version__,
        "samples": [sample(name, values) for name, values in SAMPLES.items()],
        "t_quantiles": quantiles(),
        "welch": welch(),
        "power": power(),
        "components": components(),
    },
    sys.stdout,
    indent=1,
    default=float,
)
sys.stdout.write("\n")
