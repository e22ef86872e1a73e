"""The modules agents may import, in one table: every name is listed, nothing else of a module exists for agents.

Imported whole when the zygote starts: inside a visit there is no file system to import from. What is left out, and why:

- It steps out of the visit: `re.DEBUG` and `typing.reveal_type` print past us; `uuid.uuid1`, `uuid6` and `getnode` ask
  the network card; `time.tzset`, `get_clock_info` and the clocks by number need system calls or files that
  visits do not have; `contextlib.redirect_stdout`, `redirect_stderr` and `chdir` alter the process;
  `hashlib.file_digest` wants a file.
- It makes classes or code, or reads text as code: metaclasses (`EnumType`; `ABCMeta` is a word for class statements
  and nothing else), `ReprEnum`, an empty enumeration, `types.new_class`, `prepare_class`, `FunctionType`, `coroutine`
  and their like; `typing.ForwardRef`.
- It writes into what it is given, or into what all share: `enum.global_enum`, `abc.abstractproperty` and its like;
  `re.purge`, `typing.get_overloads`, `clear_overloads`, `zoneinfo.reset_tzpath`; `difflib.HtmlDiff`, which counts its
  tables in its class; `decimal.DefaultContext`, `BasicContext` and `ExtendedContext`; `random._inst`.
- It speaks for another object (`types.GenericAlias`), is for pickles (`enum.pickle_by_global_name`,
  `copy.dispatch_table`), or shows how C is made (`types.WrapperDescriptorType` and its like).
- `mro`, frames and code appear nowhere; what a library's module imported for itself is no name of that module.
"""

import __future__

import abc
import array
import base64
import bisect
import cmath
import collections
import collections.abc
import contextlib
import copy
import dataclasses
import datetime
import decimal
import difflib
import enum
import fractions
import functools
import graphlib
import hashlib
import heapq
import itertools
import json
import math
import numbers
import operator
import random
import re
import statistics
import string
import time
import types
import typing
import unicodedata
import uuid
import zoneinfo
from types import ModuleType
from typing import Any, Final, NoReturn

from . import (
    hardened,  # noqa: F401  (importing it mends the caches of what follows)
    stdlib_collections,
    stdlib_copy,
    stdlib_dataclasses,
    stdlib_enum,
    stdlib_functools,
    stdlib_graphlib,
    stdlib_time,
    stdlib_typing,
    stdlib_zoneinfo,
)
from .builtin_table import ABCMETA, ALLOWED_BASES
from .facade import Facade, make_facade
from .formatting import formatter_class
from .ownership import WRITABLE
from .receivers import hold_to_instances
from .watched import read

__all__ = ["FACADES", "RANDOM", "made_by_the_library"]

# The generator behind the functions of agents' `random`; `World` seeds it, for forked visits would all draw the same.
RANDOM: Final = random.Random()

_Formatter: Final = formatter_class(read)
_Formatter.__module__ = "string"


def _names(source: Any, listed: str) -> dict[str, Any]:
    """The listed names that this Python's module has."""
    return {name: getattr(source, name) for name in listed.split() if hasattr(source, name)}


def _replaced(source: ModuleType, listed: str) -> dict[str, Any]:
    """The listed names of one of our own `stdlib_*` modules."""
    return {name: getattr(source, name) for name in listed.split()}


_ABC_NAMES: Final = """
    AsyncGenerator AsyncIterable AsyncIterator Awaitable Buffer ByteString Callable Collection Container Coroutine
    Generator Hashable ItemsView Iterable Iterator KeysView Mapping MappingView MutableMapping MutableSequence
    MutableSet Reversible Sequence Set Sized ValuesView
"""
_RANDOM_NAMES: Final = """
    betavariate binomialvariate choice choices expovariate gammavariate gauss getrandbits getstate lognormvariate
    normalvariate paretovariate randbytes randint random randrange sample seed setstate shuffle triangular uniform
    vonmisesvariate weibullvariate
"""
_TYPING_NAMES: Final = """
    AbstractSet Annotated Any AnyStr AsyncContextManager AsyncGenerator AsyncIterable AsyncIterator Awaitable BinaryIO
    Callable ChainMap ClassVar Collection Concatenate Container ContextManager Coroutine Counter DefaultDict Deque Dict
    Final FrozenSet Generator Generic Hashable IO ItemsView Iterable Iterator KeysView List Literal LiteralString
    Mapping MappingView Match MutableMapping MutableSequence MutableSet Never NewType NoReturn NotRequired Optional
    OrderedDict
    ParamSpec Pattern Protocol ReadOnly Required Reversible Self Sequence Set Sized SupportsAbs SupportsBytes
    SupportsComplex SupportsFloat SupportsIndex SupportsInt SupportsRound TYPE_CHECKING Text TextIO Tuple Type TypeAlias
    TypeAliasType TypeGuard TypeIs TypeVar TypeVarTuple Union Unpack ValuesView assert_never assert_type cast get_args
    is_typeddict overload
"""

_abc: Final = make_facade("collections.abc", _names(collections.abc, _ABC_NAMES))



def made_by_the_library() -> list[Any]:
    """One object of each class that agents meet though no facade lists it."""
    contexts: Any = contextlib
    hints: Any = typing
    generator: Any = random
    return [
        *(contexts.contextmanager(iter)(()), contexts.asynccontextmanager(iter)(()), generator.random.__self__),
        *(dataclasses.field(), stdlib_functools.singledispatch(print), stdlib_collections.NamedTuple),
        *(hints.List[int], hints.Union[int, str], hints.Callable[[int], int], hints.get_args(hints.List["int"])[0]),
        *(hints.Literal[1], hints.Annotated[int, 1], hints.NewType("_", int), hints.Unpack[hints.TypeVarTuple("_")]),
        *(hints.ParamSpec("_").args, hints.ParamSpec("_").kwargs, string.Template.pattern),
    ]


def _of_no_world(name: str, package: str | None = None) -> NoReturn:
    """Stands for `importlib.import_module`, of which each closure in a `World` has its own."""
    raise ImportError(f"cannot import {name!r} here")


_CONTENTS: Final[dict[str, dict[str, Any]]] = {
    "__future__": {name: getattr(__future__, name).getMandatoryRelease() for name in __future__.all_feature_names},
    "abc": _names(abc, "ABC get_cache_token")
    | _replaced(stdlib_functools, "abstractmethod update_abstractmethods")
    | {"ABCMeta": ABCMETA},
    "array": _names(array, "ArrayType array typecodes"),
    "base64": _names(
        base64,
        """a85decode a85encode b16decode b16encode b32decode b32encode b32hexdecode b32hexencode b64decode b64encode
        b85decode b85encode decode decodebytes encode encodebytes standard_b64decode standard_b64encode
        urlsafe_b64decode         urlsafe_b64encode z85decode z85encode""",
    ),
    "bisect": _names(bisect, "bisect bisect_left bisect_right insort insort_left insort_right"),
    "cmath": _names(
        cmath,
        """acos acosh asin asinh atan atanh cos cosh e exp inf infj isclose isfinite isinf isnan log log10 nan nanj
        phase pi polar rect sin sinh sqrt tan tanh tau""",
    ),
    "collections": _names(collections, "ChainMap Counter OrderedDict defaultdict deque")
    | _replaced(stdlib_collections, "UserDict UserList UserString namedtuple")
    | {"abc": _abc},
    "contextlib": _names(
        contextlib,
        """AbstractAsyncContextManager AbstractContextManager AsyncContextDecorator AsyncExitStack ContextDecorator
        ExitStack aclosing asynccontextmanager closing contextmanager nullcontext suppress""",
    ),
    "copy": _names(copy, "Error error") | {"copy": stdlib_copy.copy_value, "deepcopy": stdlib_copy.deepcopy_value},
    "dataclasses": _names(
        dataclasses, "Field FrozenInstanceError InitVar KW_ONLY MISSING field fields is_dataclass"
    )
    | _replaced(stdlib_dataclasses, "asdict astuple dataclass make_dataclass replace"),
    "datetime": _names(datetime, "MAXYEAR MINYEAR UTC date datetime time timedelta timezone tzinfo"),
    "decimal": _names(
        decimal,
        """Clamped Context ConversionSyntax Decimal DecimalException DecimalTuple DivisionByZero DivisionImpossible
        DivisionUndefined FloatOperation HAVE_CONTEXTVAR HAVE_THREADS Inexact InvalidContext InvalidOperation MAX_EMAX
        MAX_PREC MIN_EMIN MIN_ETINY Overflow ROUND_05UP ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN
        ROUND_HALF_EVEN ROUND_HALF_UP ROUND_UP Rounded Subnormal Underflow getcontext localcontext setcontext""",
    ),
    "difflib": _names(
        difflib,
        """Differ IS_CHARACTER_JUNK IS_LINE_JUNK Match SequenceMatcher context_diff diff_bytes get_close_matches ndiff
        restore unified_diff""",
    ),
    "enum": _names(
        enum,
        """CONFORM CONTINUOUS EJECT EnumCheck FlagBoundary KEEP NAMED_FLAGS STRICT UNIQUE auto bin member nonmember
        property show_flag_values unique verify""",
    )
    | _replaced(stdlib_enum, "Enum Flag IntEnum IntFlag StrEnum"),
    "fractions": _names(fractions, "Fraction"),
    "functools": _names(
        functools,
        """Placeholder WRAPPER_ASSIGNMENTS WRAPPER_UPDATES cache cached_property cmp_to_key partial partialmethod
        reduce""",
    )
    | _replaced(
        stdlib_functools, "lru_cache singledispatch singledispatchmethod total_ordering update_wrapper wraps"
    ),
    "graphlib": _names(graphlib, "CycleError") | _replaced(stdlib_graphlib, "TopologicalSorter"),
    "hashlib": _names(
        hashlib,
        """blake2b blake2s md5 new pbkdf2_hmac scrypt sha1 sha224 sha256 sha384 sha3_224 sha3_256 sha3_384 sha3_512
        sha512 shake_128 shake_256""",
    )
    | {name: frozenset(getattr(hashlib, name)) for name in ("algorithms_available", "algorithms_guaranteed")},
    "heapq": _names(heapq, "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest")
    | _names(heapq, "heapify_max heappop_max heappush_max heappushpop_max heapreplace_max"),
    "importlib": {"import_module": _of_no_world},
    "itertools": _names(
        itertools,
        """accumulate batched chain combinations combinations_with_replacement compress count cycle dropwhile
        filterfalse groupby islice pairwise permutations product repeat starmap takewhile tee zip_longest""",
    ),
    "json": _names(json, "JSONDecodeError JSONDecoder JSONEncoder dump dumps load loads"),
    "math": _names(
        math,
        """acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e erf erfc exp exp2
        expm1 fabs factorial floor fma fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt lcm
        ldexp         lgamma         log log10 log1p log2 modf nan nextafter perm pi pow prod radians remainder sin
        sinh sqrt sumprod tan tanh tau         trunc ulp""",
    ),
    "numbers": _names(numbers, "Complex Integral Number Rational Real"),
    "operator": _names(
        operator,
        """abs add and_ call concat contains countOf delitem eq floordiv ge getitem gt iadd iand iconcat ifloordiv
        ilshift imatmul imod imul index indexOf inv invert ior ipow irshift is_ is_none is_not is_not_none isub
        itemgetter itruediv ixor le         length_hint lshift lt matmul mod mul ne neg not_ or_ pos pow rshift
        setitem sub truediv truth xor""",
    )
    | _replaced(stdlib_functools, "attrgetter methodcaller"),
    "random": _names(random, "Random SystemRandom") | _names(RANDOM, _RANDOM_NAMES),
    "re": _names(
        re,
        """A ASCII DOTALL I IGNORECASE L LOCALE M MULTILINE Match NOFLAG Pattern RegexFlag S U UNICODE VERBOSE X compile
        error PatternError escape findall finditer fullmatch match search split sub subn""",
    ),
    "statistics": _names(
        statistics,
        """NormalDist StatisticsError correlation covariance fmean geometric_mean harmonic_mean kde kde_random
        linear_regression mean median median_grouped median_high median_low mode multimode pstdev pvariance quantiles
        stdev variance""",
    ),
    "string": _names(
        string,
        """Template ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable
        punctuation whitespace""",
    )
    | {"Formatter": _Formatter},
    "textwrap": _names(stdlib_collections.text_module, "TextWrapper dedent fill indent shorten wrap"),
    "time": _names(
        time,
        """altzone asctime ctime daylight gmtime localtime mktime monotonic monotonic_ns perf_counter
        perf_counter_ns process_time process_time_ns strftime strptime struct_time thread_time
        thread_time_ns time time_ns timezone tzname""",
    )
    | _replaced(stdlib_time, "sleep"),
    "types": _names(
        types,
        """AsyncGeneratorType BuiltinFunctionType BuiltinMethodType CoroutineType DynamicClassAttribute EllipsisType
        GeneratorType MappingProxyType MethodType NoneType NotImplementedType SimpleNamespace UnionType""",
    ),
    "typing": _names(typing, _TYPING_NAMES)
    | _replaced(stdlib_functools, "dataclass_transform final get_origin no_type_check runtime_checkable")
    | _replaced(stdlib_collections, "NamedTuple TypedDict")
    | _replaced(stdlib_typing, "get_type_hints"),
    "unicodedata": _names(
        unicodedata,
        """bidirectional category combining decimal decomposition digit east_asian_width is_normalized lookup mirrored
        name normalize numeric ucd_3_2_0 unidata_version""",
    ),
    "uuid": _names(
        uuid,
        """MAX NAMESPACE_DNS NAMESPACE_OID NAMESPACE_URL NAMESPACE_X500 NIL RESERVED_FUTURE RESERVED_MICROSOFT
        RESERVED_NCS RFC_4122 SafeUUID UUID uuid3 uuid4 uuid5 uuid7 uuid8""",
    ),
    "zoneinfo": _names(zoneinfo, "InvalidTZPathWarning ZoneInfoNotFoundError")
    | _replaced(stdlib_zoneinfo, "TZPATH ZoneInfo available_timezones"),
}

FACADES: Final[dict[str, Facade]] = {name: make_facade(name, members) for name, members in _CONTENTS.items()}
FACADES["collections.abc"] = _abc

# Classes with workings that a subclass would step into: `dataclass` writes code out of a Field's name, say.
_NO_BASES: Final = {
    *(dataclasses.Field, dataclasses.InitVar, re.RegexFlag, uuid.SafeUUID),
    *(enum.auto, enum.member, enum.nonmember, enum.property, enum.verify, enum.EnumCheck, enum.FlagBoundary),
    *(typing.TypeVar, typing.TypeVarTuple, typing.ParamSpec, typing.NewType, typing.Annotated),
}
for _members in (*_CONTENTS.values(), _names(collections.abc, _ABC_NAMES)):
    ALLOWED_BASES.update(member for member in _members.values() if isinstance(member, type))
ALLOWED_BASES.difference_update(_NO_BASES)
for _form in (stdlib_collections.NamedTuple, stdlib_collections.TypedDict):
    ALLOWED_BASES.update(types.resolve_bases((_form,)))

WRITABLE.update(
    {
        decimal.Context,
        difflib.SequenceMatcher,
        functools.partial,
        json.JSONDecoder,
        json.JSONEncoder,
        string.Template,
        stdlib_collections.TextWrapper,
        stdlib_collections.UserDict,
        stdlib_collections.UserList,
        stdlib_collections.UserString,
    }
)

# Every class that is listed or whose objects are, and those whose objects the listed functions make.
_LISTED: Final = [member for members in (*_CONTENTS.values(), {"abc": _abc, **_names(collections.abc, _ABC_NAMES)})
                  for member in members.values() if not isinstance(member, Facade)]
hold_to_instances({each if isinstance(each, type) else type(each) for each in [*_LISTED, *made_by_the_library()]})
