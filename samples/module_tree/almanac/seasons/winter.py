"""From December to February."""

MOOD = "a lamp in the window"
