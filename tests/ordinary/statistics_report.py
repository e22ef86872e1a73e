"""Describes samples: means, spreads, quantiles, distributions, a regression."""

import math
import statistics
from decimal import Decimal
from fractions import Fraction
from statistics import NormalDist, StatisticsError

SAMPLE = [2.5, 3.1, 4.7, 5.0, 5.0, 6.2, 7.9, 9.4]


class Histogram:
    def __init__(self, values, bins=4):
        low, high = min(values), max(values)
        self.edges = [low + (high - low) * i / bins for i in range(bins + 1)]
        self.counts = [0] * bins
        for value in values:
            place = min(int((value - low) / (high - low) * bins), bins - 1)
            self.counts[place] += 1

    def __str__(self):
        rows = zip(self.edges, self.edges[1:], self.counts)
        return "\n".join(f"{low:5.2f} to {high:5.2f} {'#' * count}" for low, high, count in rows)


def describe(values):
    return {
        "mean": statistics.mean(values),
        "fmean": statistics.fmean(values),
        "median": [statistics.median(values), statistics.median_low(values), statistics.median_high(values)],
        "mode": [statistics.mode(values), statistics.multimode("aabbc")],
        "spread": [statistics.stdev(values), statistics.pstdev(values), statistics.variance(values)],
        "quartiles": statistics.quantiles(values, n=4, method="inclusive"),
        "other": [statistics.geometric_mean(values), statistics.harmonic_mean(values)],
    }


class Agent:
    def run(self):
        print(Histogram(SAMPLE))
        heights = NormalDist.from_samples(SAMPLE)
        slope, intercept = statistics.linear_regression(range(len(SAMPLE)), SAMPLE)
        try:
            statistics.mean([])
        except StatisticsError as error:
            print(error)
        return {
            **describe(SAMPLE),
            "normal": [round(heights.cdf(5), 6), round(NormalDist(100, 15).inv_cdf(0.9), 4), (heights + 1).mean],
            "overlap": round(NormalDist(0, 1).overlap(NormalDist(1, 1)), 6),
            "line": [round(slope, 6), round(intercept, 6)],
            "correlation": round(statistics.correlation(range(8), SAMPLE), 6),
            "exact": [
                statistics.mean([Fraction(1, 3), Fraction(2, 3)]),
                statistics.mean([Decimal("0.1"), Decimal("0.2")]),
            ],
            "math": [math.fsum([0.1] * 10), math.prod(range(1, 6)), math.comb(8, 3), math.isqrt(99), math.hypot(3, 4)],
            "rounding": [
                math.floor(-2.5),
                math.ceil(2.1),
                math.trunc(-2.9),
                round(2.5),
                round(-1.25, 1),
                round(1250, -2),
            ],
            "special": [
                math.inf > 1e308,
                math.isnan(math.nan),
                math.copysign(1, -0.0),
                math.gcd(12, 18),
                math.lcm(4, 6),
            ],
            "logs": [math.log2(1024), math.log(100, 10), math.exp(0), round(math.degrees(math.atan2(1, 1)), 6)],
        }
