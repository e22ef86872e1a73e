"""A Fourier transform and the roots of polynomials, with complex numbers."""

import cmath
import math


def transform(samples):
    n = len(samples)
    if n == 1:
        return list(samples)
    even, odd = transform(samples[::2]), transform(samples[1::2])
    turned = [cmath.exp(-2j * cmath.pi * k / n) * odd[k] for k in range(n // 2)]
    return [e + t for e, t in zip(even, turned)] + [e - t for e, t in zip(even, turned)]


class Polynomial:
    def __init__(self, *coefficients):
        self.coefficients = coefficients

    def __call__(self, x):
        value = 0
        for coefficient in self.coefficients:
            value = value * x + coefficient
        return value

    def roots(self, steps=60):
        degree = len(self.coefficients) - 1
        guesses = [(0.4 + 0.9j) ** k for k in range(degree)]
        for _ in range(steps):
            for i, guess in enumerate(guesses):
                others = math.prod([guess - other for j, other in enumerate(guesses) if j != i], start=1 + 0j)
                guesses[i] = guess - self(guess) / self.coefficients[0] / others
        return sorted(guesses, key=lambda z: (round(z.real, 6), round(z.imag, 6)))


def tidy(z, digits=6):
    return complex(round(z.real, digits) + 0.0, round(z.imag, digits) + 0.0)


class Agent:
    def run(self):
        wave = [math.sin(2 * math.pi * 3 * t / 16) for t in range(16)]
        strengths = [round(abs(z), 4) for z in transform(wave)]
        print(strengths.index(max(strengths)), strengths[:5])
        roots = Polynomial(1, 0, 0, -8).roots()
        z = 3 + 4j
        size, angle = cmath.polar(z)
        return {
            "strengths": strengths,
            "roots": [tidy(root) for root in roots],
            "polar": [size, round(angle, 6), tidy(cmath.rect(size, angle)), round(cmath.phase(-1), 6)],
            "parts": [z.real, z.imag, z.conjugate(), abs(z), z * 1j, z**2, z == complex("3+4j")],
            "functions": [tidy(cmath.sqrt(-4)), tidy(cmath.log(1j)), tidy(cmath.sin(1j)), cmath.isclose(1, 1 + 1e-12)],
            "special": [cmath.isinf(cmath.infj), cmath.isnan(cmath.nanj), cmath.tau == 2 * cmath.pi],
        }
