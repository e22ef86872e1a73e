"""The customs: in which order code is asked for, judged, compiled and kept; and what becomes of each refusal."""

import logging
import re
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from emporion.agents.manifest import MAX_CLOSURE_BYTES, MAX_MODULE_BYTES, digest_of
from emporion.errors import CodeDenied, SandboxUnavailable
from emporion.runtime.code import admission as customs
from emporion.runtime.code.admission import Admission, Realm, Traveller
from emporion.runtime.code.store import MemoryCodeStore
from emporion.runtime.events import CodeCrossed
from emporion.runtime.options import BOTH_WALLS, DEFAULT_LIMITS, Isolation
from emporion.tests.harbour import Ears, listening
from emporion.validators.code import Consignment, Signature, names, quiet

TRAVELLER = Traveller(("192.0.2.1", 4711), "the caller", "nora@192.0.2.1:4711")
SOURCES = {"trip.a": "a = 1\n", "trip.b": "b = 2\n", "trip.c": "c = 3\n"}


@pytest.fixture
def ears() -> Iterator[Ears]:
    with listening() as ears:
        yield ears


class Customs:
    """An admission on a real store whose every step is written down; compiling is the one that needs no jail here."""

    def __init__(self, store: MemoryCodeStore | None = None, *, complain: str = "", **options: Any) -> None:
        self.steps: list[tuple[str, str]] = []
        self.store = MemoryCodeStore() if store is None else store
        self._complain = complain
        self.admission = Admission(self.store, self._compile, **options)
        self.sent: Mapping[str, str] | None = None

    def _compile(self, name: str, digest: str, source: str, isolation: Isolation) -> bytes:
        self.steps.append(("compile", name))
        if name == self._complain:
            raise CodeDenied(name, "upload", "language policy: line 1: no")
        return f"code of {name} {isolation.language} {isolation.os}".encode()

    def fetch(self, wanted: dict[str, str]) -> Mapping[str, str]:
        self.steps.append(("fetch", " ".join(wanted)))
        return {digest: SOURCES[name] for name, digest in wanted.items()} if self.sent is None else self.sent

    def validator(self, name: str, source: str | None, address: Any, caller: Any) -> bool:
        self.steps.append(("ask", name))
        assert (address, caller) == (TRAVELLER.address if source else None, TRAVELLER.caller)
        return True

    def realm(self, validator: Any = ..., **walls: Any) -> Realm:
        chosen: Any = self.validator if validator is ... else validator
        return Realm("mall", chosen, DEFAULT_LIMITS, Isolation(**walls) if walls else BOTH_WALLS)

    def upload(self, sources: Mapping[str, str] = SOURCES, realm: Realm | None = None) -> None:
        self.admission.upload(Consignment(manifest_of(sources)), realm or self.realm(), TRAVELLER, self.fetch)


def manifest_of(sources: Mapping[str, str]) -> dict[str, str]:
    return {name: digest_of(source) for name, source in sources.items()}


def test_the_order_is_fetch_ask_compile_keep(ears: Ears) -> None:
    here = Customs()
    here.upload()
    names = list(SOURCES)
    assert here.steps == [("fetch", " ".join(names)), *(("ask", n) for n in names), *(("compile", n) for n in names)]
    assert len(here.store) == 3
    assert [(e.module, e.accepted, e.rule) for e in ears.events(CodeCrossed)] == [(n, True, "sent") for n in names]


def test_only_what_is_missing_is_fetched_and_all_is_asked(ears: Ears) -> None:
    here = Customs()
    here.upload({"trip.a": SOURCES["trip.a"]})
    here.steps.clear()
    here.upload()
    assert here.steps[0] == ("fetch", "trip.b trip.c")
    assert [name for step, name in here.steps if step == "ask"] == list(SOURCES)
    assert [name for step, name in here.steps if step == "compile"] == ["trip.b", "trip.c"]
    assert [e.rule for e in ears.events(CodeCrossed)] == ["sent", "known", "sent", "sent"]


def test_a_known_text_under_another_name_is_another_question() -> None:
    here = Customs()
    here.upload({"trip.a": SOURCES["trip.a"]})
    here.steps.clear()
    here.upload({"other.name": SOURCES["trip.a"]})
    assert here.steps == [("ask", "other.name"), ("compile", "other.name")]  # a code object knows its name


def test_all_modules_of_an_upload_come_in_one_consignment_with_its_signatures() -> None:
    seen: list[Any] = []

    def validator(name: str, source: str | None, address: Any, consignment: Any) -> bool:
        seen.append(consignment)
        return True

    here, signature = Customs(), Signature("0" * 64, "1" * 128)
    for _ in range(2):
        goods = Consignment(manifest_of(SOURCES), (signature,))
        here.admission.upload(goods, here.realm(validator), TRAVELLER, here.fetch)
    first, second = seen[:3], seen[3:]
    assert all(one is first[0] for one in first) and all(one is second[0] for one in second)
    assert first[0] is not second[0]
    assert (dict(first[0].manifest), first[0].signatures) == (manifest_of(SOURCES), (signature,))
    here.admission.download(manifest_of(SOURCES), here.realm(validator), TRAVELLER)
    assert len({id(one) for one in seen[6:]}) == 1 and seen[6].signatures == ()


@pytest.mark.parametrize("denied", SOURCES)
def test_one_denied_module_keeps_the_others_out(ears: Ears, denied: str) -> None:
    here = Customs()
    realm = here.realm(lambda name, source, address: name != denied)
    with pytest.raises(CodeDenied) as error:
        here.upload(realm=realm)
    assert (error.value.module, error.value.direction) == (denied, "upload")
    assert not len(here.store)
    assert not [step for step in here.steps if step[0] == "compile"]
    (event,) = ears.denials()
    assert (event.module, event.digest, event.peer) == (denied, digest_of(SOURCES[denied]), TRAVELLER.label)


def test_one_module_that_does_not_compile_keeps_the_others_out(ears: Ears) -> None:
    here = Customs(complain="trip.b")
    with pytest.raises(CodeDenied, match="language policy"):
        here.upload()
    assert not len(here.store)
    (event,) = ears.denials()
    assert (event.module, event.rule) == ("trip.b", "language policy: line 1: no")


def test_without_a_validator_nothing_is_even_fetched(ears: Ears) -> None:
    here = Customs()
    with pytest.raises(CodeDenied, match="no code validator"):
        here.upload(realm=here.realm(None))
    assert here.steps == []
    here.upload()
    here.steps.clear()
    with pytest.raises(CodeDenied, match="no code validator"):
        here.upload(realm=here.realm(None))  # known or not
    assert len(ears.denials()) == 2


LARGE = "#" * (MAX_MODULE_BYTES // 2)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({}, "asked for 1 sources"),
        ({digest_of("x"): "x"}, "not the same ones"),
        ({digest_of("b = 2\n"): "b = 2\n", digest_of("x"): "x"}, "asked for 1 sources, its sender gave 2"),
        ({digest_of("b = 2\n"): "b = 3\n"}, "digest"),
        ({digest_of("b = 2\n"): "#" * (MAX_MODULE_BYTES + 1)}, "bytes"),
        ({digest_of("b = 2\n"): "\u20ac" * (MAX_MODULE_BYTES // 2)}, "bytes"),
        ({digest_of("b = 2\n"): "\ud800"}, "UTF-8"),
    ],
)
def test_what_was_not_announced_is_denied_and_logged(ears: Ears, sent: dict[str, str], why: str) -> None:
    here = Customs()
    here.sent = sent
    with pytest.raises(CodeDenied, match=why) as error:
        here.upload({"trip.b": SOURCES["trip.b"]})
    assert error.value.module == "trip.b"
    assert here.steps == [("fetch", "trip.b")]
    assert len(ears.denials()) == 1
    assert not len(here.store)


def test_a_closure_has_a_size_as_a_whole() -> None:
    here = Customs()
    sources = {f"big.m{n}": f"{LARGE}{n}\n" for n in range(2 * MAX_CLOSURE_BYTES // MAX_MODULE_BYTES)}
    here.sent = {digest_of(source): source for source in sources.values()}
    with pytest.raises(CodeDenied, match="closure"):
        here.upload(sources)
    sources.popitem()
    here.sent = {digest_of(source): source for source in sources.values()}
    here.upload(sources)


@pytest.mark.parametrize("name", ["json", "emporion", "a..b", "__main__", "x y", "", "\ufb01x", "x" * 1_000])
def test_names_are_refused_before_anything_else(ears: Ears, name: str) -> None:
    here = Customs()
    with pytest.raises(CodeDenied) as error:
        here.upload({name: "x = 1\n"})
    assert here.steps == []
    assert len(error.value.module) <= 200
    assert len(ears.denials()) == 1
    assert all("\n" not in record.getMessage() for record in ears.records)


def test_downloads_ask_by_name_alone_and_stop_at_the_first_no(ears: Ears) -> None:
    here = Customs()
    here.admission.download(manifest_of(SOURCES), here.realm(), TRAVELLER)
    assert here.steps == [("ask", name) for name in SOURCES]
    with pytest.raises(CodeDenied) as error:
        here.admission.download(manifest_of(SOURCES), here.realm(lambda name, source, address: False), TRAVELLER)
    assert (error.value.module, error.value.direction) == ("trip.a", "download")
    assert [event.direction for event in ears.denials()] == ["download"]


def test_a_validator_that_raises_is_logged_with_its_traceback_and_the_peer_hears_no_details(ears: Ears) -> None:
    def validator(name: str, source: str | None, address: Any) -> bool:
        raise RuntimeError("the policy file is gone")

    here = Customs()
    with pytest.raises(CodeDenied) as error:
        here.upload(realm=here.realm(validator))
    assert error.value.reason == "the validator failed"
    assert ears.denials()[0].rule == "the validator raised RuntimeError: the policy file is gone"
    (record,) = [record for record in ears.records if record.exc_info]
    assert record.levelno == logging.ERROR


@pytest.mark.parametrize("source", ["upload", "download"])
def test_a_quiet_denial_is_told_to_the_log_alone(ears: Ears, source: str) -> None:
    here = Customs()
    realm = here.realm(quiet(names("secret.project.*")))
    with pytest.raises(CodeDenied) as error:
        if source == "upload":
            here.upload(realm=realm)
        else:
            here.admission.download(manifest_of(SOURCES), realm, TRAVELLER)
    assert error.value.reason == "denied by the host's policy"
    assert "secret" not in str(error.value)
    assert "'secret.project.*'" in ears.denials()[0].rule


def test_code_is_kept_apart_by_the_walls_it_was_made_for_and_behind() -> None:
    here = Customs()
    source = {"trip.a": SOURCES["trip.a"]}
    digest = digest_of(source["trip.a"])
    every: list[dict[str, Any]] = [{}, {"language": False}, {"os": False}, {"language": False, "os": False}]
    for walls in [*every, {"modules": ["colorsys"]}]:
        here.upload(source, here.realm(**walls))
        isolation = Isolation(**walls)
        code = here.admission.compiled("trip.a", digest, source["trip.a"], isolation, TRAVELLER)
        assert code == f"code of trip.a {isolation.language} {isolation.os}".encode()
    assert [step for step, _ in here.steps].count("compile") == 5


def test_compiled_code_is_made_again_when_the_store_has_lost_it() -> None:
    here = Customs()
    here.upload()
    here.store._drop(digest_of(SOURCES["trip.a"]))
    here.steps.clear()
    here.admission.compiled("trip.a", digest_of(SOURCES["trip.a"]), SOURCES["trip.a"], BOTH_WALLS, TRAVELLER)
    assert here.steps == [("compile", "trip.a")]


def test_a_full_store_says_to_come_again(ears: Ears) -> None:
    store = MemoryCodeStore(max_bytes=20)
    here = Customs(store)
    here.upload({"trip.a": SOURCES["trip.a"]})
    store.hold([digest_of(SOURCES["trip.a"])])
    store.max_bytes = 8
    with pytest.raises(CodeDenied, match="try again later"):
        here.upload({"trip.b": SOURCES["trip.b"]})
    assert re.search("store is full", ears.denials()[0].rule)


def test_a_closure_that_takes_long_to_compile_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Customs()
    clock = iter([0.0, 1.0, customs.COMPILE_BUDGET_S + 1, customs.COMPILE_BUDGET_S + 2])
    monkeypatch.setattr(customs, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with pytest.raises(CodeDenied, match="less code at once"):
        here.upload()
    assert [name for step, name in here.steps if step == "compile"] == ["trip.a"]


def test_a_machine_without_walls_is_no_fault_of_the_code(ears: Ears) -> None:
    def compile(name: str, digest: str, source: str, isolation: Isolation) -> bytes:
        raise SandboxUnavailable("install libseccomp")

    admission = Admission(MemoryCodeStore(), compile)
    here = Customs()
    with pytest.raises(SandboxUnavailable, match="libseccomp"):
        admission.upload(Consignment(manifest_of(SOURCES)), here.realm(), TRAVELLER, here.fetch)
    assert not ears.denials()


# --- what the operator has yanked


def test_what_was_yanked_is_denied_before_anybody_is_asked(ears: Ears) -> None:
    here = Customs()
    digest = digest_of(SOURCES["trip.b"])
    here.store.yank(digest, "it steals boots")
    for realm in (here.realm(), here.realm(None)):
        with pytest.raises(CodeDenied, match=f"digest {digest[:16]} was yanked: it steals boots") as error:
            here.upload(realm=realm)
        assert (error.value.module, error.value.direction) == ("trip.b", "upload")
    with pytest.raises(CodeDenied, match="was yanked") as error:
        here.admission.download(manifest_of(SOURCES), here.realm(), TRAVELLER)
    assert (error.value.module, error.value.direction) == ("trip.b", "download")
    with pytest.raises(CodeDenied, match="was yanked"):
        here.admission.compiled("trip.b", digest, SOURCES["trip.b"], BOTH_WALLS, TRAVELLER)
    assert here.steps == []
    assert [(event.module, event.digest) for event in ears.denials()] == [("trip.b", digest)] * 4
    here.store.unyank(digest)
    here.upload()


def test_what_is_yanked_while_it_is_on_its_way_is_not_kept() -> None:
    here = Customs()
    honest = here.fetch

    def fetch(wanted: dict[str, str]) -> Mapping[str, str]:
        here.store.yank(wanted["trip.c"], "too late")
        return honest(wanted)

    with pytest.raises(CodeDenied, match="too late"):
        here.admission.upload(Consignment(manifest_of(SOURCES)), here.realm(), TRAVELLER, fetch)
    assert not len(here.store)
    assert "compile" not in [step for step, _ in here.steps]


def test_names_and_senders_of_accepted_code_are_remembered() -> None:
    here = Customs()
    here.upload()
    with pytest.raises(CodeDenied):
        here.upload({"trip.other": SOURCES["trip.a"]}, here.realm(lambda name, source, address: False))
    labels = [(label.name, label.peer) for kept in here.store.listing() for label in kept.labels]
    assert sorted(labels) == [(name, "nora@192.0.2.1") for name in SOURCES]
