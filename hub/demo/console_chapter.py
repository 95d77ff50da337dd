"""Chapter 15: the console, people in every role, and (with ``--keep``) a night that is theirs.

1. The console is started beside the hub. People are added by command; each opens the link they were
   given, over HTTP like a browser, and chooses a password.
2. An officer signs in and reads the first line of the first page.
3. When all is left running, Switzerland's book is damaged again: its cases wait to be worked, by
   people whose keys for signing lie in files that a browser can load.
"""

import json
import os
import re
import secrets
from html import unescape
from http.cookiejar import CookieJar
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from hub.demo.desk import HUB
from hub.demo.night_chapter import DIFFERS, buy, compare_with, damage_lots
from hub.demo.stage import Stage

PEOPLE: Final = (
    ("maria", "Maria Silva", "officer"),
    ("kofi", "Kofi Mensah", "officer"),
    ("ingrid", "Ingrid Berg", "administrator"),
    ("arun", "Arun Rao", "operator"),
    ("lucia", "Lucía Vega", "auditor"),
    ("tom", "Tom Keller", "viewer"),
)
"""Who is at the console: the name to sign in with, the name, the role."""
SIGNERS: Final = ("ingrid", "maria", "kofi", "arun")
"""Who signs acts; the first one adds the others."""
OFFICER: Final = "maria"
KEY_PASSPHRASE: Final = "correct horse battery staple"  # noqa: S105 - told to every viewer
"""Of the files that people's browsers load: these keys sign nothing but this story."""
LOTS: Final = {"lost": 90, "doubled": 70}
ANSWER_SECONDS_MAX: Final = 30.0
_CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')
_VERDICT: Final = re.compile(r'id="verdict".*?<p>(.*?)</p>', re.DOTALL)


def open_console(stage: Stage) -> None:
    """Chapter 15: people sign in and see the night in one line."""
    world = stage.world
    world.start_console()
    stage.say("[bold]itmo-hub console[/] serves the pages beside the hub, on the same database, at")
    stage.say(f"{world.console_url}. It has none of the hub's keys. People are invited by a link,")
    stage.say("and choose a password there:")
    people: list[dict[str, str]] = []
    for name, display_name, role in PEOPLE:
        options = ["--display-name", display_name, "--reason", "Works at the console."]
        link = world.hub("people", "add", name, role, *options).split("\t")[-1].strip()
        password = f"{secrets.token_urlsafe(6)}-{secrets.token_urlsafe(6)}"
        _send(stage, _browser(), link, {"password": password, "again": password})
        people.append({"name": name, "role": role, "password": password})
        stage.say(f"  [bold]{name}[/], {display_name}: {role}")
    stage.result["console"] = {"address": world.console_url, "people": people}
    verdict = _verdict(stage)
    stage.say(f"{OFFICER} signs in; the first line of the first page: [bold]{verdict}[/]")
    stage.result["console"]["verdict"] = verdict


def leave_a_night(stage: Stage) -> None:
    """Damage a book once more and leave its cases open, with keys for those who work them."""
    lots = {name: buy(stage, quantity) for name, quantity in LOTS.items()}
    damage_lots(stage, lots)
    status, _ = compare_with(stage, "--registry", "CHE01")
    stage.require(status == DIFFERS, "the damage was not found")
    stage.result["console"]["lots"] = lots
    stage.result["console"]["keys"] = _register_signers(stage)
    stage.world.console_facts.write_text(
        json.dumps(stage.result["console"], indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _register_signers(stage: Stage) -> dict[str, str]:
    """Give those who act a key each, under their own name; return the files browsers can load.

    One administrator adds the others: from the second one who may approve on, it takes two.
    """
    world, roles = stage.world, {name: role for name, _, role in PEOPLE}
    folder, variable = world.folder / "keys" / "people", "ITMO_DEMO_PASSPHRASE_PEOPLE"
    os.environ[variable] = KEY_PASSPHRASE
    reason, first_uri = ["--reason", "Signs acts at the console."], ""
    for name in SIGNERS:
        options = ["--participant", HUB, "--out", str(folder), "--name", name]
        made = world.commands.run_json("keys", "generate", *options, "--passphrase-env", variable)
        proof = str(folder / f"{name}.proof.jws")
        signed = ["--as", SIGNERS[0], "--signer", first_uri] if first_uri else []
        world.hub("administrator", "add", name, proof, "--role", roles[name], *reason, *signed)
        first_uri = first_uri or made["uri"]
        signed = ["--as", SIGNERS[0], "--signer", first_uri]
        world.hub("people", "signs-as", name, name, *reason, *signed)
    return {name: str(folder / f"{name}.key") for name in SIGNERS}


def _verdict(stage: Stage) -> str:
    """Sign in as the officer and return what the home page says first."""
    console = stage.result["console"]
    password = next(one["password"] for one in console["people"] if one["name"] == OFFICER)
    browser = _browser()
    _send(stage, browser, f"{console['address']}/sign-in", {"name": OFFICER, "password": password})
    page = _fetch(browser, f"{console['address']}/")
    found = _VERDICT.search(page)
    stage.require(found is not None, "the console's home page has no verdict")
    assert found is not None, "as just required"
    return " ".join(unescape(found[1]).split())


def _browser() -> OpenerDirector:
    """Return somebody's browser, with cookies of its own."""
    return build_opener(HTTPCookieProcessor(CookieJar()))


def _fetch(browser: OpenerDirector, url: str) -> str:
    with browser.open(url, timeout=ANSWER_SECONDS_MAX) as answer:
        text: str = answer.read().decode()
        return text


def _send(stage: Stage, browser: OpenerDirector, url: str, form: dict[str, str]) -> None:
    """Open a page and send its form, as somebody who types would. Raises DemoError."""
    token = _CSRF.search(_fetch(browser, url))
    fields = {**form, "csrf": token[1] if token else ""}
    try:
        with browser.open(url, urlencode(fields).encode(), timeout=ANSWER_SECONDS_MAX) as answer:
            answer.read()
    except HTTPError as error:
        stage.require(False, f"{url} answers {error.code}")
