"""The language wall: what foreign source may say (`policy`), and the world it runs in (`world`).

`policy` reads hostile source and runs only in a jailed compile process; it alone needs RestrictedPython. `world`, the
guards and the facades run inside a visit, beside the agent. Neither half is a boundary by itself: the process is.

- `names`: which attribute names may be spelled, decided once for both halves
- `scopes`, `bindings`, `attributes`, `transformer`, `policy`: source text to code object, or every complaint at once
- `ownership`, `guards`, `watched`, `formatting`, `builtin_table`: what compiled agent code calls where names alone do
  not decide
- `facade`, `facades`, `stdlib_*`, `hardened`: the modules agents may import
- `world`: the modules of one visit
"""
