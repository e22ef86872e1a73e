"""From June to August, or what passes for it."""

MOOD = "out with the tide"
