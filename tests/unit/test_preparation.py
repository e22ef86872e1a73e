"""What a passphrase becomes before it is stretched: OpaqueString of RFC 8265, over every kind of character."""

import pickle
import sys
import unicodedata
from collections.abc import Iterator

import pytest
from emporion.validators.connection.scram import MAX_CHARACTERS, prepare
from hypothesis import given
from hypothesis import strategies as st
from precis_i18n import get_profile

SPACES = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Zs"]

# What people type, and the form that is compared.
TAKEN = {
    "composed or not, an accent is the same": ("e\u0301t\u00e9", "\u00e9t\u00e9"),
    "signs that stand for letters": ("\u212bngstr\u00f6m \u2126", "\u00c5ngstr\u00f6m \u03a9"),
    "several marks in either order": ("a\u0323\u0307 a\u0307\u0323", "\u1ea1\u0307 \u1ea1\u0307"),
    "case stays": ("Ca\u00dfe \u1e9e \u0130", "Ca\u00dfe \u1e9e \u0130"),
    "compatibility characters stay": ("\ufb01sh \uff21 \u2460", "\ufb01sh \uff21 \u2460"),
    "arabic": ("\u0645\u0631\u062d\u0628\u0627 \u0663\u0664", "\u0645\u0631\u062d\u0628\u0627 \u0663\u0664"),
    "persian with a joiner that it needs": (
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    ),
    "hebrew with points, which have an order": ("\u05e9\u05bc\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
                                                "\u05e9\u05b8\u05bc\u05c1\u05dc\u05d5\u05b9\u05dd"),
    "right to left beside left to right": ("abc \u05d0\u05d1\u05d2 123", "abc \u05d0\u05d1\u05d2 123"),
    "devanagari": ("\u0928\u092e\u0938\u094d\u0924\u0947 \u0958", "\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u093c"),
    "devanagari with a joiner after a virama": ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
    "hangul in letters or syllables": ("\u1112\u1161\u11ab\u1100\u1173\u11af", "\ud55c\uae00"),
    "cjk compatibility ideographs": ("\uf900 \U0002f800", "\u8c48 \u4e3d"),
    "kana and half-width kana": ("\u304b\u3099 \uff76\uff9e", "\u304c \uff76\uff9e"),
    "thai": ("\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35"),
    "emoji of four bytes": ("\U0001f511\U0001f984", "\U0001f511\U0001f984"),
    "a skin tone": ("\U0001f44d\U0001f3fd", "\U0001f44d\U0001f3fd"),
    "mathematical alphabets": ("\U0001d4ae\U0001d4c1", "\U0001d4ae\U0001d4c1"),
    "signs": ("\u20ac \u00a7 \u2603 \u00bd", "\u20ac \u00a7 \u2603 \u00bd"),
    "spaces at the ends count": ("  x  ", "  x  "),
    "as long as may be": ("\U0001f511" * MAX_CHARACTERS, "\U0001f511" * MAX_CHARACTERS),
    "nothing": ("", ""),
}  # fmt: skip

# What is refused, and how that is called.
REFUSED = {
    "a line's end": ("line\n", "a control character (U+000A)"),
    "a carriage return": ("line\r", "a control character (U+000D)"),
    "a tab": ("a\tb", "a control character (U+0009)"),
    "a zero byte": ("\0", "a control character (U+0000)"),
    "a line separator": ("a\u2028b", "(U+2028)"),
    "a zero-width space": ("zero\u200bwidth", "an invisible character (U+200B)"),
    "a soft hyphen": ("so\u00adft", "an invisible character (U+00AD)"),
    "an override of direction": ("\u202eright", "an invisible character (U+202E)"),
    "a mark of direction": ("a\u200fb", "an invisible character (U+200F)"),
    "an isolate": ("\u2067b\u2069", "an invisible character (U+2067)"),
    "a byte order mark": ("\ufeffa", "an invisible character (U+FEFF)"),
    "an emoji's variation selector": ("\u2764\ufe0f", "an invisible character (U+FE0F)"),
    "a family that is joined": ("\U0001f468\u200d\U0001f469", "an invisible character (U+200D)"),
    "a flag of tags": ("\U0001f3f4\U000e0067\U000e007f", "an invisible character (U+E0067)"),
    "a joiner that no script asks for": ("a\u200cb", "an invisible character (U+200C)"),
    "old hangul": ("\u1140\u1161", "half a Hangul syllable (U+1140)"),
    "arabic digits of two kinds": ("\u0663\u06f3", "does not stand like that (U+0663)"),
    "a tatweel": ("\u0640", "(U+0640)"),
    "a lone surrogate": ("\ud800", "half a character (U+D800)"),
    "a surrogate from a file name": ("caf\udce9", "half a character (U+DCE9)"),
    "a private character": ("\ue000", "a private character (U+E000)"),
    "a character of no Unicode yet": ("\U000e0080", "(U+E0080)"),
    "an unassigned letter": ("\u0378", "does not have (U+0378)"),
    "no character": ("\uffff", "an invisible character (U+FFFF)"),
    "one more than may be": ("x" * (MAX_CHARACTERS + 1), "1,025 characters: 1,024 are the most"),
    "a million": ("x" * 1_000_000, "1,000,000 characters: 1,024 are the most"),
}


@pytest.mark.parametrize(("typed", "prepared"), TAKEN.values(), ids=TAKEN)
def test_a_passphrase_has_one_form_however_it_was_typed(typed: str, prepared: str) -> None:
    assert prepare(typed) == prepared
    assert prepare(prepared) == prepared


@pytest.mark.parametrize(("typed", "words"), REFUSED.values(), ids=REFUSED)
def test_what_rfc_8265_leaves_out_is_named_and_refused(typed: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        prepare(typed)
    assert words in str(caught.value)
    assert type(caught.value) is ValueError


def test_every_kind_of_space_is_the_same_space() -> None:
    assert len(SPACES) > 15
    assert {prepare(f"correct{space}horse") for space in SPACES} == {"correct horse"}


def test_case_and_width_make_another_passphrase() -> None:
    assert len({prepare(typed) for typed in ("secret", "Secret", "SECRET", "\uff33ecret", "\u017fecret")}) == 5


def test_a_refusal_has_nothing_of_the_passphrase_on_it() -> None:
    """Nor behind it: what logs an exception with all that led to it shows the text otherwise."""
    with pytest.raises(ValueError) as caught:
        prepare("hush hush\n")
    assert caught.value.__context__ is None and caught.value.__cause__ is None
    assert b"hush" not in pickle.dumps(caught.value)


@given(st.text(max_size=24))
def test_what_is_prepared_stays_as_it_is(text: str) -> None:
    try:
        prepared = prepare(text)
    except ValueError as error:
        assert "leave it out" in str(error)
        return
    assert prepare(prepared) == prepared
    assert unicodedata.is_normalized("NFC", prepared)
    assert prepared.encode().decode() == prepared
    assert all(character.isprintable() or character in "\u200c\u200d" for character in prepared)
    # However a keyboard or a file system takes it apart, and whatever it takes for a space.
    assert prepare(unicodedata.normalize("NFD", text)) == prepared
    assert prepare(text.replace(" ", "\u3000")) == prepared


def doubtful() -> Iterator[str]:
    """What normalisation changes or is changed by, alone and between letters."""
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.decomposition(character) or unicodedata.combining(character):
            yield from (character, f"a{character}\u0301")


def test_two_ends_with_different_unicodes_never_make_two_things_of_one_passphrase() -> None:
    """Python carries the tables of 2002 as well, which are as far from today's as tables can be: what both ends take
    they make the same of; what one of them does not know, it refuses."""
    old = get_profile("OpaqueString", unicodedata=unicodedata.ucd_3_2_0)  # type: ignore[arg-type]
    both, news = 0, 0
    for text in doubtful():
        try:
            now = prepare(text)
        except ValueError:
            continue
        try:
            before = old.enforce(text)
        except UnicodeEncodeError:
            news += 1
            continue
        both += 1
        # Five ideographs were put right in 2003 (Corrigendum #4); Unicode has promised since that none will be.
        assert before == now or set(text) & set("\U0002f868\U0002f874\U0002f91f\U0002f95f\U0002f9bf")
    assert both > 5_000 and news > 500
