"""
A table of what services say, answered over real HTTP to one `connwatch check --json`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.command_line import connwatch
from tests.e2e.said import EXHAUSTED, FRANCE, GERMANY, NO_ANSWER, OK, TOKEN, Said, all_said
from tests.loopback import Handler, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL = all_said()
ISSUED = json.dumps({"access_token": "Atza|abcdef0123456789", "token_type": "bearer"}).encode()
LIMITS = '[checks]\ntimeout = "60s"\nconcurrency = 8\n'


class Speaker(Handler):
    """
    Answer each path as the table has it.
    """

    def do_GET(self) -> None:  # noqa: N802 - its name there
        self.read_body()
        place = self.path.split("?")[0].split("/")[1]
        if place == "lwa":
            self.answer(200, ISSUED, {"Content-Type": "application/json"})
            return
        said = ALL[int(place)]
        self.send_response(said.status)
        if said.kind:
            self.send_header("Content-Type", said.kind)
        for name, text in said.headers:
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(said.content)))
        self.end_headers()
        self.wfile.write(said.content)

    do_POST = do_GET  # noqa: N815 - its name there


def tables(number: int, said: Said, port: int) -> str:
    url = f"http://127.0.0.1:{port}/{number}"
    lines = ["[[connections]]", f'name = "c{number}"', *([said.setting] if said.setting else [])]
    if said.whose in {"amazon", "lwa"}:
        token_url = url if said.whose == "lwa" else f"http://127.0.0.1:{port}/lwa"
        lines += ['provider = "amazon"', f'application = "a{number}"', 'region = "eu"']
        lines += [f'refresh_token = "Atzr|refresh{number:040}"', f'endpoint = "{url}"']
        lines += [f'[[applications]]\nname = "a{number}"\ntoken_url = "{token_url}"']
        lines += [f'client_id = "amzn1.application-oa2-client.{number:032}"']
        lines += [f'client_secret = "amzn1.oa2-cs.v1.{number:064}"']
    elif said.whose == "soldscope":
        lines += ['provider = "soldscope"', f'base_url = "{url}"', f'token = "{TOKEN}"']
    else:
        lines += ['provider = "http"', f'url = "{url}"', f'token = "{TOKEN}"']
        lines += [] if said.whose == "http" else [f'preset = "{said.whose}"']
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("said")
    with serve(Speaker) as port:
        text = LIMITS + "".join(tables(number, said, port) for number, said in enumerate(ALL))
        (folder / "config.toml").write_text(text)
        (folder / "config.toml").chmod(0o600)
        ended = connwatch("check", "--json", "--no-store", cwd=folder)
    return {each["name"]: each for each in json.loads(ended.out)["connections"]}


def label(said: Said) -> str:
    return f"{said.whose}-{said.status}-{str(said.body)[:40]}"


def misunderstood(found: dict[str, Any], said: Said) -> Iterator[str]:
    """
    Yield what an answer was taken for that it does not say.
    """
    quota = found["quota"]
    is_exhausted = (quota or {}).get("level") == "exhausted"
    reason = found["last_check"]["reason"]
    verdict = EXHAUSTED if reason == OK and is_exhausted else reason
    if verdict != said.verdict:
        yield f"{verdict}, not {said.verdict}"
    text = json.dumps(found, ensure_ascii=False)
    yield from (f"{one!r} is not shown" for one in said.shown if one not in text)
    shown = (text, found["detail"])
    yield from (f"{one!r} is shown" for one in said.hidden if any(one in each for each in shown))
    if said.quota is not NO_ANSWER:
        numbers = quota and (quota["limit"], quota["remaining"])
        if numbers != said.quota:
            yield f"quota {numbers}, not {said.quota}"


def test_what_a_service_says_is_understood(answered):
    """One test for all rows: each is done before it could be set up."""
    wrong = [
        f"{label(said)}: {what}"
        for number, said in enumerate(ALL)
        for what in misunderstood(answered[f"c{number}"], said)
    ]
    assert len(ALL) > 450
    assert not wrong, "\n".join(["", *wrong])


def test_marketplaces_that_are_not_sold_in_agree_with_the_verdict(answered):
    of_germany = {"id": GERMANY[1], "configured": True}
    listed = [each for each in answered.values() if each["marketplaces"]]
    some, none = (
        [{key: one[key] for key in ("id", "participating", "configured")} for one in markets]
        for markets in (each["marketplaces"] for each in listed[:2])
    )

    assert some == [
        of_germany | {"participating": True},
        {"id": FRANCE[1], "participating": False, "configured": False},
    ]
    assert [(one["participating"], one["configured"]) for one in none] == [(False, True)] * 2
