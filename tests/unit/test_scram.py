"""SCRAM-SHA-256 against the RFC's own example, and what a passphrase becomes before it is stretched."""

import hashlib
from base64 import b64decode
from dataclasses import replace

import pytest
from emporion.validators.connection import scram
from emporion.validators.connection.scram import (
    Exchange,
    auth_message,
    client_proof,
    proves,
    server_signature,
    stretch,
    stretch_once,
)

# RFC 7677, section 3: user "user", password "pencil".
SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
CLIENT_NONCE, HOST_NONCE = "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
PROOF = b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
SIGNATURE = b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def rfc_message() -> bytes:
    return auth_message("user", CLIENT_NONCE, HOST_NONCE, SALT, 4096, None)


def exchange(binding: bytes | None, context: bytes = b"c" * 32) -> Exchange:
    return Exchange(login="", client_nonce=b"1" * 18, host_nonce=b"2" * 18, binding=binding, context=context)


def test_the_example_of_rfc_7677_comes_out() -> None:
    keys = stretch("pencil", SALT, 4096)
    assert client_proof(keys, rfc_message()) == PROOF
    assert server_signature(keys.server, rfc_message()) == SIGNATURE


def test_the_auth_message_is_spelled_as_the_rfc_spells_it() -> None:
    nonce = CLIENT_NONCE + HOST_NONCE
    first = f"n=user,r={CLIENT_NONCE},r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert rfc_message() == f"{first},c=biws,r={nonce}".encode()


def test_commas_and_equal_signs_in_a_login_cannot_forge_attributes() -> None:
    assert auth_message("a,r=b", "x", "y", b"salt" * 2, 4096, None).startswith(b"n=a=2Cr=3Db,r=x,")


def test_the_binding_is_part_of_what_is_proved() -> None:
    bound = auth_message("", "x", "y", b"salt" * 2, 4096, b"\x01" * 32)
    header = b64decode(bound.split(b",c=")[1].split(b",")[0])
    assert header == b"p=tls-server-end-point,," + b"\x01" * 32


def test_a_proof_convinces_only_for_its_key_and_its_message() -> None:
    keys, other = stretch("pencil", SALT, 4096), stretch("crayon", SALT, 4096)
    assert proves(keys.stored, rfc_message(), PROOF)
    assert not proves(other.stored, rfc_message(), PROOF)
    assert not proves(keys.stored, rfc_message() + b"x", PROOF)


@pytest.mark.parametrize("proof", [b"", PROOF[:-1], PROOF + b"\0", bytes(32)])
def test_a_proof_of_another_shape_proves_nothing(proof: bytes) -> None:
    assert not proves(stretch("pencil", SALT, 4096).stored, rfc_message(), proof)


def test_what_a_host_keeps_does_not_reveal_the_client_key() -> None:
    keys = stretch("pencil", SALT, 4096)
    assert hashlib.sha256(keys.client).digest() == keys.stored
    assert keys.client not in (keys.stored, keys.server)
    assert "stored" not in repr(keys)


def test_stretching_again_costs_nothing() -> None:
    keys = stretch_once("pencil", SALT, 5000)
    assert stretch_once("pencil", SALT, 5000) is keys == stretch("pencil", SALT, 5000)


def test_what_is_stretched_otherwise_is_another_question() -> None:
    questions = [("pencil", SALT, 5000), ("pencil", SALT, 5001), ("pencils", SALT, 5000), ("pencil", SALT + b"x", 5000),
                 ("il", SALT + b"penc", 5000), ("xpencil", SALT, 5000), ("0 " + "pencil", SALT, 5000)]
    assert [stretch_once(*question) for question in questions] == [stretch(*question) for question in questions]


def test_keys_are_kept_without_the_passphrase_that_they_were_made_of() -> None:
    """Under a digest of fixed length: what stands there could not be typed in by whoever finds it."""
    before = set(scram._stretched._known)
    keys = stretch_once("stands nowhere else", SALT, 4096)
    ((asked, kept),) = [item for item in scram._stretched._known.items() if item[0] not in before]
    assert kept is keys
    assert type(asked) is bytes and len(asked) == 32
    assert all(b"stands" not in value for value in (asked, keys.client, keys.stored, keys.server))



def test_sixteen_bytes_of_a_challenge_depend_on_the_channel_and_on_the_client() -> None:
    here, relayed, clear = exchange(b"a" * 32), exchange(b"b" * 32), exchange(None)
    other = exchange(b"a" * 32, context=b"d" * 32)
    values = {bytes(e.scram(SALT, 4096)) for e in (here, relayed, clear, other)}
    values |= {e.bound(b"raw") for e in (here, relayed, clear, other)}
    assert len(values) == 8
    assert {len(value) for value in values} == {16}
    assert here.bound(b"raw") == exchange(b"a" * 32).bound(b"raw")


def test_sixteen_bytes_of_a_challenge_are_fresh_if_either_end_draws_well() -> None:
    once = exchange(None)
    for again in (replace(once, client_nonce=b"3" * 18), replace(once, host_nonce=b"3" * 18)):
        assert once.bound(b"constant") != again.bound(b"constant")
