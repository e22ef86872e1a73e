"""Manifests: names, digests, identity, and the union of those that agree."""

import hashlib

import pytest
from emporion.agents.manifest import (
    MAX_MODULES,
    check_manifest,
    check_module_name,
    check_qualname,
    closure_id,
    digest_of,
    joined,
    packages_of,
)
from emporion.errors import ProtocolError

A, B = digest_of("a = 1\n"), digest_of("b = 1\n")


@pytest.mark.parametrize("name", ["agent", "agent.shopping", "a.b.c.d", "_x", "naïve.größe", "match", "x" * 200])
def test_a_dotted_name_of_identifiers_is_a_module_name(name: str) -> None:
    assert check_module_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "1 to 200"),
        ("x" * 201, "1 to 200"),
        (None, "text"),
        (b"agent", "text"),
        ("agent..shopping", "identifiers"),
        (".agent", "identifiers"),
        ("agent.", "identifiers"),
        ("agent.shopping\n", "identifiers"),
        ("agent/../../etc", "identifiers"),
        ("agent@1f2e", "identifiers"),
        ("agent.class", "keyword"),
        ("None", "keyword"),
        ("agent.\N{LATIN SMALL LIGATURE FI}sh", "NFKC"),
        ("\N{MATHEMATICAL BOLD SMALL A}gent", "NFKC"),
        ("__main__", "__main__"),
        ("agent.__main__", "__main__"),
        ("agent.__init__", "__init__"),
        ("os", "standard library"),
        ("json.decoder", "standard library"),
        ("emporion.errors", "this package"),
    ],
)
def test_a_name_that_would_mislead_is_refused(name: object, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        check_module_name(name)


@pytest.mark.parametrize("qualname", ["", "A..B", "f.<locals>.A", "A B", 7, "A" * 201])
def test_a_qualified_name_is_made_of_identifiers(qualname: object) -> None:
    assert check_qualname("Mall.Shop") == "Mall.Shop"
    with pytest.raises(ProtocolError):
        check_qualname(qualname)


@pytest.mark.parametrize(
    "manifest",
    [
        None,
        [],
        {},
        {"agent": "0" * 63},
        {"agent": A.upper()},
        {"agent": A + "\n"},
        {"agent": A.encode()},
        {"os.path": A},
        {1: A},
        {"agent": digest_of("")},
        {f"m{n}": A for n in range(MAX_MODULES + 1)},
    ],
)
def test_a_hostile_manifest_is_a_protocol_error(manifest: object) -> None:
    with pytest.raises(ProtocolError):
        check_manifest(manifest)


def test_a_good_manifest_passes() -> None:
    manifest = {f"agent.m{n}": A for n in range(MAX_MODULES)}
    assert check_manifest(manifest) == manifest


def test_the_closure_id_is_the_documented_hash_whatever_the_order() -> None:
    expected = hashlib.sha256(f"agent.a\n{A}\nagent.b\n{B}\n".encode()).hexdigest()
    assert closure_id({"agent.b": B, "agent.a": A}) == closure_id({"agent.a": A, "agent.b": B}) == expected
    assert closure_id({"agent.a": B, "agent.b": A}) != expected


def test_a_digest_is_taken_of_utf8_and_needs_it() -> None:
    assert digest_of("x = 'ä'") == hashlib.sha256(b"x = '\xc3\xa4'").hexdigest()
    with pytest.raises(ProtocolError):
        digest_of("x = '\ud800'")


def test_every_parent_of_a_module_is_a_package() -> None:
    assert packages_of({"a.b.c": A, "a.b": A, "d": A}) == {"a", "a.b"}


def test_manifests_that_agree_become_one() -> None:
    basket, shopper, other = {"agent.basket": A}, {"agent.basket": A, "agent.shopper": B}, {"objects.tv": A}
    assert joined([basket, shopper, other]) == [shopper, shopper, other]
    assert basket == {"agent.basket": A}


def test_manifests_without_a_common_module_stay_as_they_are_until_another_joins_them() -> None:
    left, right, bridge = {"a": A}, {"b": B}, {"a": A, "b": B, "c": A}
    assert joined([left, right]) == [left, right]
    assert joined([left, right, bridge]) == [bridge, bridge, bridge]
    assert joined([left, {"b": A}, bridge]) == [bridge, {"b": A}, bridge]


def test_two_versions_of_a_module_stay_in_manifests_of_their_own() -> None:
    old, new, more = {"agent": A}, {"agent": B}, {"agent": B, "helper": A}
    assert joined([old, new, more]) == [old, more, more]


def test_a_union_never_outgrows_what_a_manifest_may_list() -> None:
    left, right = ({"both": B, **{f"{side}{n}": A for n in range(MAX_MODULES // 2)}} for side in "lr")
    assert joined([left, right]) == [left, right]
