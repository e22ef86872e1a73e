"""The language wall: what foreign source may say (`policy`), and the world it runs in (`world`).

`policy` reads hostile source and runs only in a jailed compile process; it alone needs RestrictedPython. `world`, the guards
and the facades run inside a visit, beside the agent. Neither half is a boundary by itself: the process around them is.

- `names`: which attribute names may be spelled, decided once for both halves
- `scopes`, `transformer`, `policy`: source text to code object, or every complaint at once
- `guards`, `formatting`, `builtin_table`: what compiled agent code calls where a name alone does not decide
- `facades` and its neighbours: the modules agents may import
- `world`: the modules of one visit
"""
