"""Each sample is run as its docstring says: real programs, every host in a folder that has nothing of its clients'."""

import csv
import re
import subprocess
import sys
from pathlib import Path

from emporion.tests.programs import ROOT, WAIT_S, commands, hosting, in_shell, laid_out, told

SAMPLES = ROOT / "samples"
ON_ONE_SCREEN = 55


def test_every_module_of_a_small_sample_fits_one_screen_and_each_sample_says_how_to_run_it() -> None:
    folders = [path.parent for path in SAMPLES.glob("*/__init__.py") if path.parent.name != "shopping_mall"]
    assert folders
    for folder in folders:
        text = (folder / "__init__.py").read_text(encoding="utf-8")
        assert re.search(r"^    (?:python|emporion) ", text, re.MULTILINE), folder
        for path in folder.rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= ON_ONE_SCREEN, path


def test_an_agent_travels_over_three_hosts_that_do_not_know_it_and_comes_home(tmp_path: Path) -> None:
    dealers = ("tel-aviv", "mumbai", "antwerp")
    homes = {name: laid_out("travelling", tmp_path / name, "host.py", "dealer.py", "stock") for name in dealers}
    client = laid_out("travelling", tmp_path / "client", "client.py", "gatherer.py")
    with (
        hosting(homes["tel-aviv"], "tel-aviv") as last,
        hosting(homes["mumbai"], "mumbai", last.uri) as second,
        hosting(homes["antwerp"], "antwerp", second.uri) as first,
    ):
        lines = told(client, first.uri)
    assert lines[0] == "seen: 200 in antwerp, 200 in mumbai, 200 in tel-aviv"
    assert lines[1:] == [f"{cut}: {price:.0f} dollars a carat in {place}" for cut, price, place in best_offers(dealers)]
    assert first.lines == ["gatherer comes from client", "gatherer goes on"]
    assert second.lines == ["gatherer comes from antwerp", "gatherer goes on"]
    assert last.lines == ["gatherer comes from mumbai"]


def best_offers(dealers: tuple[str, ...]) -> list[tuple[str, float, str]]:
    best: dict[str, tuple[float, str]] = {}
    for place in dealers:
        with (SAMPLES / "travelling" / "stock" / f"{place}.csv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                offer = (int(row["price"]) / float(row["carat"]), place)
                best[row["cut"]] = min(best.get(row["cut"], offer), offer)
    return [(cut, *best[cut]) for cut in sorted(best)]


def test_agents_go_up_and_things_come_down_past_a_validator_at_each_end(tmp_path: Path) -> None:
    host = laid_out("both_ways", tmp_path / "host", "host.py", "market.py", "antiques.py")
    client = laid_out("both_ways", tmp_path / "client", "client.py", "collector.py")
    size = len((host / "antiques.py").read_text(encoding="utf-8"))
    asked = f"customs: antiques comes in, {size} characters"
    with hosting(host) as market:
        lines = told(client, market.uri)
    assert [line for line in lines if line != asked] == [
        "an object: amphora, 330 BC, still smelling of oil",
        "a function: 2330 drachmas",
        "an exception: TooPoor < TradeError < Exception 330",
        "<parcel with antiques.Amphora, unopened>",
        "CodeDenied: download of module 'antiques' denied: this connection takes no code in: "
        "connect(..., mobile_code=True) opens what comes",
        "On show: amphora, 330 BC, still smelling of oil",
    ]
    assert lines[0] == asked  # before anything of it ran
    assert set(market.lines) == {"market: collector comes in", "market: antiques goes out", "museum: antiques comes in"}


def test_a_tree_of_modules_travels_whole_and_nothing_else_does(tmp_path: Path) -> None:
    host = laid_out("module_tree", tmp_path / "host", "host.py")
    client = laid_out("module_tree", tmp_path / "client", "client.py", "almanac")
    with hosting(host) as lighthouse:
        lines = told(client, lighthouse.uri)
    assert lines == [
        "An almanac of sun and moon",
        "week 52: a lamp in the window",
        "moon: 12 days old; sun: 8.0 hours",
    ]
    files = [path.relative_to(client) for path in client.glob("almanac/**/*.py")]
    named = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files}
    assert lighthouse.lines == sorted(named - {"almanac.seasons"})  # which has no code


def test_bidders_of_three_clients_meet_and_the_highest_limit_wins_at_the_second_and_one(tmp_path: Path) -> None:
    host = laid_out("auction", tmp_path / "host", "host.py", "rounds.py")
    client = laid_out("auction", tmp_path / "client", "client.py", "bidder.py")
    with hosting(host) as auction:
        programs = [
            subprocess.Popen(
                [sys.executable, "client.py", auction.uri, name, limit], cwd=client, stdout=subprocess.PIPE, text=True
            )
            for name, limit in (("cleo", "75"), ("ben", "90"), ("ada", "120"))
        ]
        lines = [program.communicate(timeout=WAIT_S)[0].strip() for program in programs]
    assert lines == ["cleo leaves", "ben leaves", "ada gets it for 91"]
    assert auction.lines == ["cleo leaves at 76", "ben leaves at 91"]


def test_two_versions_of_a_module_run_at_one_host_and_known_code_is_not_sent_again(tmp_path: Path) -> None:
    host = laid_out("versions", tmp_path / "host", "host.py")
    client = laid_out("versions", tmp_path / "client", "client.py", "counter.py")
    before = (client / "counter.py").read_text(encoding="utf-8")
    with hosting(host) as house:
        lines = told(client, house.uri)
    assert lines == [
        "version 1: ['18 letters']",
        "again: ['18 letters']",
        "version 2: ['6 words']",
        "both at once: ['18 letters', '6 words']",
    ]
    old, new = house.lines[0].split()[2], house.lines[2].split()[2]
    assert old != new
    assert house.lines == [
        f"upload counter {digest} {what}"
        for digest, what in ((old, "sent"), (old, "known"), (new, "sent"), (old, "known"), (new, "known"))
    ]
    assert (client / "counter.py").read_text(encoding="utf-8") == before


def test_only_signed_agents_are_let_in_until_their_key_is_revoked(tmp_path: Path) -> None:
    """The commands of the sample's docstring, one after the other."""
    folder = laid_out("signed_agents", tmp_path / "all", "host.py", "client.py", "scout.py")
    make, publish, host, *visits = commands("signed_agents")
    public = in_shell(make, folder).stdout.strip()
    assert in_shell(publish, folder).returncode == 0
    assert (folder / "publishers").read_text(encoding="utf-8") == f"{public} Nora\n"
    with hosting(folder, *host.split()[2:]) as hill:
        done = [in_shell(command.replace("emporion://...", hill.uri), folder) for command in visits]
    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * 5
    lines = [one.stdout.strip() for one in done]
    assert (lines[0], lines[2], lines[3]) == ("refused: nobody has signed it", "seen: a caravan", "")
    assert lines[1].splitlines()[1] == f"signed by {public}"
    assert lines[4] == f"refused: the key {public[:24]}... was revoked"


def test_an_agent_that_was_edited_after_it_was_signed_is_refused_until_it_is_signed_again(tmp_path: Path) -> None:
    folder = laid_out("signed_agents", tmp_path / "all", "host.py", "client.py", "scout.py")
    make, publish, host, client, sign, *_ = commands("signed_agents")
    assert [in_shell(command, folder).returncode for command in (make, publish, sign)] == [0, 0, 0]
    with (folder / "scout.py").open("a", encoding="utf-8") as file:
        file.write("\nEDITED = True\n")
    with hosting(folder, *host.split()[2:]) as hill:
        visit = client.replace("emporion://...", hill.uri)
        edited = in_shell(visit, folder)
        assert in_shell(sign, folder).returncode == 0
        again = in_shell(visit, folder)
    assert edited.stdout == "refused: nobody has signed it\n"
    assert "no longer fits" in edited.stderr
    assert (again.stdout, again.stderr) == ("seen: a caravan\n", "")


def test_a_policy_says_what_it_would_decide_about_the_agents_in_a_folder_and_why(tmp_path: Path) -> None:
    folder = laid_out("policies", tmp_path / "all", "policy.py", "agents")
    table, explained, asked = (in_shell(command, folder) for command in commands("policies"))
    assert [(one.returncode, one.stderr) for one in (table, explained, asked)] == [(0, "")] * 3
    verdicts = re.findall(r"^(\w+) +(accepted|DENIED)", table.stdout, re.MULTILINE)
    assert verdicts == [("peddler", "DENIED"), ("visitor_counting", "accepted"), ("visitor_spy", "DENIED")]
    assert "'visitor_spy' imports 'socket'" in table.stdout
    listed = "'math', 'statistics'"
    reason = f"imports({listed}) denies: 'visitor_spy' imports 'socket'; {listed} may be imported"
    for text in (explained.stdout, asked.stdout):
        assert [line for line in text.splitlines() if line.strip() == reason]
    heads = [line.split()[-1] for line in asked.stdout.splitlines() if line.startswith("any_of") and "accepts" in line]
    assert heads == ["accepts", "accepts"]  # the one that calculates, and the catalogue
    assert not list(folder.rglob("__pycache__/visitor_*"))  # none of them was run
