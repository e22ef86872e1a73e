"""Which attribute names agents may spell, and how: one verdict for the compiler and for the run-time guards.

Most names are decided while compiling and then cost nothing. A name is FREE (read and written directly), PRIVATE (one
leading underscore: only on what the agent's own modules made), WATCHED (a guard looks at the object first) or DENIED.
"""

from enum import Enum
from typing import Final

__all__ = [
    "CLASS_RECEIVERS",
    "DEFINABLE",
    "FORBIDDEN_BUILTINS",
    "GUARD",
    "INERT_PRIVATE",
    "INTROSPECTION",
    "MODULE_DUNDERS",
    "NAMES_LOADED",
    "PATCHABLE",
    "PRIVATES",
    "SETTABLE_DUNDERS",
    "VETTED_PRIVATE",
    "Kind",
    "is_dunder",
    "is_matchable",
    "is_risky",
    "kind_of",
    "mangle",
    "why_denied",
    "why_unbound",
]

# Guards are globals under names that no source can spell: a dot cannot stand in an identifier. So nothing an agent
# binds, in whatever position, shadows one. The underscore keeps ``from x import *`` from copying them.
GUARD: Final = "_."


# The class keyword under which a class statement's private names reach `build_class`.
PRIVATES: Final = GUARD + "privates"


class Kind(Enum):
    """What happens when an agent spells an attribute."""

    FREE = 0
    PRIVATE = 1
    WATCHED = 2
    DENIED = 3


# Public names that lead from a running thing to frames, code and namespaces. Exact names, not prefixes: `f_score` and
# `co_author` are ordinary. A test holds this list to what this Python's own types have.
INTROSPECTION: Final = frozenset(
    """
    tb_frame tb_lasti tb_lineno tb_next
    f_back f_builtins f_code f_generator f_globals f_lasti f_lineno f_locals f_trace f_trace_lines f_trace_opcodes
    gi_code gi_frame gi_running gi_state gi_suspended gi_yieldfrom
    cr_await cr_code cr_frame cr_origin cr_running cr_state cr_suspended
    ag_await ag_code ag_frame ag_running ag_state ag_suspended
    co_argcount co_branches co_cellvars co_code co_consts co_exceptiontable co_filename co_firstlineno co_flags
    co_freevars co_kwonlyargcount co_lines co_linetable co_lnotab co_name co_names co_nlocals co_positions
    co_posonlyargcount co_qualname co_stacksize co_varnames
    func_closure func_code func_defaults func_dict func_doc func_globals func_name
    im_class im_func im_self cell_contents mro
    """.split()
)

# Dunder methods an agent's class may define. Left out on purpose: what makes or alters classes (__prepare__,
# __instancecheck__, __subclasshook__, __mro_entries__, __class_getitem__), what rebuilds objects (__reduce__),
# what hides an object's true attributes (__getattribute__, __class__, __dict__), what runs unasked (__del__).
DEFINABLE: Final = frozenset(
    f"__{name}__"
    for name in """
    init new repr str bytes format lt le eq ne gt ge hash bool len length_hint getitem setitem delitem missing iter next
    reversed contains add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or radd rsub rmul rmatmul
    rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift rand rxor ror iadd isub imul imatmul itruediv ifloordiv imod
    ipow ilshift irshift iand ixor ior neg pos abs invert complex int float index round trunc floor ceil enter exit call
    getattr setattr delattr dir get set delete set_name init_subclass await aiter anext aenter aexit copy deepcopy
    post_init slots match_args doc getstate setstate
    """.split()
)

# What may also be put into a class of the agent's own after it is made, by a decorator say. Not what is checked where
# it is written (what `__new__` returns, the names in the two lists), nor what only a class statement gives its meaning.
_ONLY_WRITTEN: Final = {"__new__", "__slots__", "__match_args__", "__doc__", "__init_subclass__", "__set_name__"}
PATCHABLE: Final = DEFINABLE - _ONLY_WRITTEN

# Reading these hands out a way to alter things, or something that is not what it seems: a guard decides by the object.
_WATCHED_DUNDERS: Final = frozenset(
    f"__{name}__"
    for name in """
    init new setattr delattr getattr set delete set_name init_subclass getstate setstate class dict module annotations
    wrapped post_init slots get members
    """.split()
)
_READABLE_DUNDERS: Final = (DEFINABLE - _WATCHED_DUNDERS) | {
    "__all__",
    "__author__",
    "__cause__",
    "__name__",
    "__notes__",
    "__qualname__",
    "__suppress_context__",
    "__version__",
}
# `str.format` reads attributes named in text; `register` alters an ABC; `AttributeError.obj` is anybody's object;
# `Pattern.groupindex` is a read-only view, which gives its dict away when it is compared.
_WATCHED_PUBLIC: Final = frozenset({"format", "format_map", "groupindex", "obj", "register"})

SETTABLE_DUNDERS: Final = frozenset({"__cause__", "__doc__", "__name__", "__wrapped__"})

MODULE_DUNDERS: Final = frozenset(
    f"__{name}__"
    for name in "all author contact copyright credits date doc email license maintainer status version".split()
)
NAMES_LOADED: Final = DEFINABLE | MODULE_DUNDERS | {"__class__", "__debug__", "__name__"}

# Documented names with an underscore, of namedtuple, enum and collections.abc.Set: usable on anything.
VETTED_PRIVATE: Final = frozenset(
    """
    _asdict _fields _make _replace _generate_next_value_ _ignore_ _missing_ _name_ _order_ _value_ _from_iterable _hash
    """.split()
)
# Names that the abc, typing and collections modules give to every class that inherits from them: an agent that meets
# them on an object of its own learns nothing. On a library's class they stay private.
INERT_PRIVATE: Final = frozenset("_abc_impl _is_protocol _is_runtime_protocol _MutableMapping__marker".split())

CLASS_RECEIVERS: Final = frozenset({"__new__", "__init_subclass__"})

FORBIDDEN_BUILTINS: Final = {
    "__import__": "write an import statement",
    "breakpoint": "print what you want to see",
    "compile": "write the code into a module",
    "eval": "write the expression, or read data with json.loads",
    "exec": "write the statements into a module",
    "exit": "return, or raise an exception",
    "globals": "keep state in an object or a dict of your own",
    "help": "read __doc__",
    "input": "let the host pass what is needed as an argument",
    "locals": "use a dict of your own",
    "open": "ask a hosted object for data: there are no files here",
    "quit": "return, or raise an exception",
}


def is_dunder(name: str) -> bool:
    """Whether `name` has two underscores on both sides."""
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def is_risky(name: str) -> bool:
    """Whether `name` in a foreign class is one that agents must not reach: private, and not documented for all."""
    return name.startswith("_") and not is_dunder(name) and name not in VETTED_PRIVATE


def kind_of(name: str) -> Kind:
    """The verdict on `name` as an attribute that is read; a private name must be mangled already (`mangle`)."""
    if not name.startswith("_"):
        if name in INTROSPECTION:
            return Kind.DENIED
        return Kind.WATCHED if name in _WATCHED_PUBLIC else Kind.FREE
    if is_dunder(name):
        if name in _READABLE_DUNDERS:
            return Kind.FREE
        return Kind.WATCHED if name in _WATCHED_DUNDERS else Kind.DENIED
    # Computed names can hold anything; only what source could spell is somebody's private name.
    return Kind.PRIVATE if name.isidentifier() else Kind.DENIED


def is_matchable(name: str) -> bool:
    """Whether a class pattern may read attribute `name`: no guard stands in a pattern."""
    return kind_of(name) is Kind.FREE and not is_dunder(name)


def mangle(name: str, class_name: str | None) -> str:
    """`name` as the compiler writes it inside class `class_name` (``__x`` becomes ``_Shop__x``).

    Source: https://docs.python.org/3/reference/expressions.html#private-name-mangling
    """
    if class_name is None or not name.startswith("__") or name.endswith("__"):
        return name
    bare = class_name.lstrip("_")
    return f"_{bare}{name}" if bare else name


def why_denied(name: str) -> tuple[str, str]:
    """Why attribute `name` is denied, and what to write instead."""
    if name in ("mro", "__mro__", "__base__", "__bases__", "__subclasses__"):
        return "it walks from a class to classes that are not the agent's", "name the class you mean"
    if name in INTROSPECTION:
        return "it leads to frames, code or namespaces of the interpreter", "pass values as arguments and results"
    if name in ("__traceback__", "__context__"):
        return "it leads to frames of the interpreter", "use str(error), error.args or error.__cause__"
    if is_dunder(name):
        instead = "use the operator, the builtin or the public name that stands for it"
        return "it reaches into the interpreter", f"{instead}; for what is your own, a name without the underscores"
    return "it is not a name that source code can spell", "use an ordinary name"


_STATE: Final = "define __getstate__ and __setstate__"
_INSTEAD: Final = {
    "__class_getitem__": "inherit from typing.Generic",
    "__del__": "use a with statement, or a method that is called at the end",
    "__getattribute__": "define __getattr__, or properties",
    "__getnewargs__": _STATE,
    "__getnewargs_ex__": _STATE,
    "__instancecheck__": "inherit from abc.ABC and register() classes, or use a typing.Protocol",
    "__reduce__": _STATE,
    "__reduce_ex__": _STATE,
    "__subclasshook__": "register() classes, or use a typing.Protocol",
}


def why_unbound(name: str) -> tuple[str, str]:
    """Why an agent may not bind a name with two underscores on both sides, and what to write instead."""
    if name in DEFINABLE:
        return "agents may define this name in a class, by def or plain assignment", "use an ordinary name"
    return "agents may not define this name", _INSTEAD.get(name, "use a name without the underscores on both sides")
