"""Who decides which code may cross: how a code validator is asked, and blocks to build one from.

A plain function ``(name, module, address)`` always works; see `CodeValidator`.
"""

from ..consignment import Consignment, Signature
from .asking import MAX_REASON_CHARS, Address, Block, CodeValidator, judge, judge_closure
from .by_consignment import max_modules, signed_by
from .by_name import names
from .by_sender import addresses, callers, rate
from .by_source import digests, imports, max_size
from .checking import check_validator
from .combining import all_of, any_of, downloads, not_, quiet, uploads

__all__ = [
    # asking
    "Address",
    "CodeValidator",
    "Consignment",
    "MAX_REASON_CHARS",
    "Signature",
    "check_validator",
    "judge",
    "judge_closure",
    # combining
    "Block",
    "all_of",
    "any_of",
    "downloads",
    "not_",
    "quiet",
    "uploads",
    # deciding
    "addresses",
    "callers",
    "digests",
    "imports",
    "max_modules",
    "max_size",
    "names",
    "rate",
    "signed_by",
]
