"""
`connwatch config init`: from nothing to a first file, each answer tried at once.
"""

from __future__ import annotations

import stat
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from monitor.cli.wizard import CHANNEL_EXAMPLES
from monitor.config.load import load_config
from monitor.config.secret import Secret, SourceKind
from monitor.config.starter import SecretPlace
from monitor.notify.apprise import validate_url
from tests.command_line import connwatch, converse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


URL = "https://api.example.com/v1"
GIVEN = ("--base-url", URL, "--token-env", "TOKEN", "--channel-env", "CHANNEL")

NO_MORE = (r"(?s)Anything else\?.*Number \[6\]: ", "")
NOBODY = (r"(?s)Where should alerts go\?.*Number .*: ", "4")
IN_ENV, IN_FILE, TYPED = "1", "2", "3"
SOLDSCOPE, AMAZON, PRESET, HTTP, COUNTDOWN = "12345"


def interview(
    folder: Path, *answers: tuple[str, str], options: Sequence[str] = (), **env: str
) -> tuple[dict[str, Any], str]:
    """
    Return the file that came of it, and all that was to be seen.
    """
    code, seen = converse("config", "init", *options, cwd=folder, answers=answers, env=env)
    assert code == 0, seen
    return tomllib.loads((folder / "config.toml").read_text()), seen


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_first_file_can_be_made_without_questions(tmp_path):
    ended = connwatch("config", "init", *GIVEN, cwd=tmp_path)

    path = tmp_path / "config.toml"
    config = load_config(path)
    assert (ended.code, ended.err) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (connection,) = config.connections
    assert (connection.name, connection.host) == ("soldscope", "api.example.com")
    assert [channel.url.source for channel in config.channels] == ["env CHANNEL"]
    assert "export TOKEN=" in ended.out
    assert "export CHANNEL=" in ended.out
    assert ended.out.splitlines()[-1] == "Next: connwatch config check"


def test_what_is_set_already_need_not_be_set(tmp_path):
    ended = connwatch(
        "config", "init", *GIVEN, cwd=tmp_path, env={"TOKEN": "t", "CHANNEL": "json://a"}
    )

    assert "export" not in ended.out


def test_secrets_may_be_kept_in_files(tmp_path):
    files = ("--token-file", "the token", "--channel-file", "channel")
    ended = connwatch("config", "init", "--base-url", URL, *files, "--name", "acme", cwd=tmp_path)

    data = tomllib.loads((tmp_path / "config.toml").read_text())
    assert ended.code == 0
    assert data["connections"][0]["token"] == {"file": "the token"}
    assert data["connections"][0]["name"] == "acme"
    assert data["channels"][0]["url"] == {"file": "channel"}
    assert "into the token, which only you may read" in ended.out


def test_the_next_command_names_a_file_that_is_not_found_by_itself(tmp_path):
    ended = connwatch("config", "init", *GIVEN, "--output", "my file.toml", cwd=tmp_path)

    assert ended.out.splitlines()[-1] == (
        f"Next: connwatch --config '{tmp_path}/my file.toml' config check"
    )


def test_the_file_named_for_all_commands_is_the_one_that_is_made(tmp_path):
    ended = connwatch("--config", "other.toml", "config", "init", *GIVEN, cwd=tmp_path)

    assert ended.code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["other.toml"]


def test_a_file_that_exists_is_never_touched(tmp_path):
    path = write(tmp_path, "precious")

    ended = connwatch("config", "init", *GIVEN, cwd=tmp_path)

    assert (ended.code, ended.out, path.read_text()) == (3, "", "precious")
    assert f"{path} exists already" in ended.err
    assert "--output FILE" in ended.err


def test_even_a_dangling_link_is_left_alone(tmp_path):
    (tmp_path / "config.toml").symlink_to(tmp_path / "elsewhere")

    ended = connwatch("config", "init", *GIVEN, cwd=tmp_path)

    assert ended.code == 3
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((), ["--base-url", "--token-env", "--token-file", "--channel-env", "--no-channel"]),
        (("--base-url", URL, "--no-channel"), ["--token-env NAME or --token-file FILE"]),
        (("--base-url", URL, "--token-env", "T"), ["--channel-file FILE or --no-channel"]),
    ],
    ids=["all", "the token", "the channel"],
)
def test_without_a_terminal_what_is_missing_is_named(tmp_path, given, named):
    ended = connwatch("config", "init", *given, cwd=tmp_path)

    assert (ended.code, ended.out) == (3, "")
    assert [option for option in named if option not in ended.err] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("--base-url", "http://api.example.com"), "base_url: plain http"),
        (("--base-url", ""), "base_url: "),
        (("--token-env", "A=B"), "an environment variable has no ="),
        (("--token-file", "x"), "only one of --token-env and --token-file"),
        (("--no-channel",), "only one of --channel-env and --no-channel"),
        (("--name", "a b\n"), "name: "),
        (("--output", "nowhere/config.toml"), "cannot be created"),
    ],
    ids=["plain http", "no URL", "variable", "two tokens", "two channels", "name", "folder"],
)
def test_options_that_are_of_no_use_are_refused(tmp_path, given, why):
    ended = connwatch("config", "init", *GIVEN, *given, cwd=tmp_path)

    assert (ended.code, ended.out) == (3, "")
    assert why in ended.err
    assert list(tmp_path.iterdir()) == []


# On a terminal


def test_on_a_terminal_it_asks_and_says_what_is_left_to_do(tmp_path):
    data, seen = interview(
        tmp_path,
        (r"(?s)monitor\?.*Number \[1\]: ", SOLDSCOPE),
        ("Base URL: ", "ftp://api.example.com"),
        ("Not valid: .*\n(?s:.*)Base URL: ", URL),
        ("Number .*: ", IN_ENV),
        (r"Name of the variable \[SOLDSCOPE_TOKEN\]: ", ""),
        (r"Name \[soldscope\]: ", "acme-production"),
        NO_MORE,
        ("Slack(?s:.*)Number .*: ", IN_FILE),
        ("Path of the file: ", "channel.url"),
        ("Send a test message .*: ", "n"),
    )

    assert data["connections"] == [
        {
            "provider": "soldscope",
            "base_url": URL,
            "token": {"env": "SOLDSCOPE_TOKEN"},
            "name": "acme-production",
        }
    ]
    assert data["channels"][0]["url"] == {"file": "channel.url"}
    assert "was not tested yet: env SOLDSCOPE_TOKEN" in seen
    assert "export SOLDSCOPE_TOKEN=...   # the token" in seen
    assert "put the Apprise URL into channel.url" in seen
    assert seen.rstrip().endswith("Next: connwatch config check")


def test_what_works_is_said_to_work_and_the_channel_gets_a_test(tmp_path, simulator, hook):
    token = simulator.create_token("acme", "production").value
    data, seen = interview(
        tmp_path,
        (r"(?s)monitor\?.*Number \[1\]: ", ""),
        ("Base URL: ", simulator.soldscope_url),
        ("Number .*: ", IN_ENV),
        (r"Name of the variable .*: ", "TOKEN"),
        (r"Name \[soldscope\]: ", ""),
        NO_MORE,
        ("Slack(?s:.*)Number .*: ", TYPED),
        ("Apprise URL .*: ", hook.url()),
        (r"Send a test message .*\[Y/n\]: ", ""),
        options=(),
        TOKEN=token,
    )
    assert len(hook.posts) == 1

    assert "✓ it works, for the account" in seen
    assert "10,000 requests left" in seen
    assert "✓ Sent. Did it arrive?" in seen
    assert "To do" not in seen
    assert data["channels"][0]["url"] == hook.url()
    assert token not in seen


def test_a_token_that_is_refused_can_be_given_again(tmp_path, simulator):
    token = simulator.create_token("acme", "production").value
    questions = [
        ("Base URL: ", simulator.soldscope_url),
        ("Number .*: ", IN_ENV),
        (r"Name of the variable .*: ", "WRONG"),
        (r"Name \[soldscope\]: ", "acme"),
    ]
    again = [answer if answer[1] != "WRONG" else (answer[0], "RIGHT") for answer in questions]
    data, seen = interview(
        tmp_path,
        (r"(?s)monitor\?.*Number \[1\]: ", SOLDSCOPE),
        *questions,
        (r"(?s)✗ token rejected: .*What now\?.*Number \[1\]: ", "1"),
        *again,
        (r"(?s)✓ it works.*Number \[6\]: ", ""),
        NOBODY,
        WRONG="ss_live_hunter2",
        RIGHT=token,
    )

    (connection,) = data["connections"]
    assert connection["token"] == {"env": "RIGHT"}
    assert "hunter2" not in seen


def test_a_token_that_is_refused_can_be_kept(tmp_path, simulator):
    data, _ = interview(
        tmp_path,
        (r"(?s)monitor\?.*Number \[1\]: ", SOLDSCOPE),
        ("Base URL: ", simulator.soldscope_url),
        ("Number .*: ", IN_ENV),
        (r"Name of the variable .*: ", "WRONG"),
        (r"Name \[soldscope\]: ", "acme"),
        (r"(?s)✗ token rejected: .*What now\?.*Number \[1\]: ", "2"),
        NO_MORE,
        NOBODY,
        WRONG="ss_live_hunter2",
    )

    assert [one["name"] for one in data["connections"]] == ["acme"]


def test_a_channel_that_does_not_take_the_test_can_be_named_again(tmp_path, hook):
    data, _ = interview(
        tmp_path,
        ("Slack(?s:.*)Number .*: ", TYPED),
        ("Apprise URL .*: ", "json://127.0.0.1:9/nobody-there"),
        ("Send a test message .*: ", "y"),
        (r"(?s)✗ not sent: .*What now\?.*Number \[1\]: ", "1"),
        ("Slack(?s:.*)Number .*: ", TYPED),
        ("Apprise URL .*: ", hook.url()),
        ("Send a test message .*: ", "y"),
        options=(*GIVEN[:4], "--name", "acme"),
    )

    assert [one["url"] for one in data["channels"]] == [hook.url()]


def test_a_home_of_a_user_whom_nobody_knows_is_a_file_that_cannot_be_read(tmp_path):
    data, seen = interview(
        tmp_path,
        (r"(?s)monitor\?.*Number \[1\]: ", SOLDSCOPE),
        ("Base URL: ", URL),
        ("Number .*: ", IN_FILE),
        ("Path of the file: ", "~nobody-of-that-name/token"),
        (r"Name \[soldscope\]: ", ""),
        NO_MORE,
        NOBODY,
    )
    assert "was not tested yet" in seen
    assert data["connections"][0]["token"] == {"file": "~nobody-of-that-name/token"}


def test_two_stores_share_an_application(tmp_path):
    where = [("Number .*: ", IN_FILE), ("Path of the file: ", "secret")]
    data, _ = interview(
        tmp_path,
        (r"(?s)monitor\?.*Number \[1\]: ", AMAZON),
        ("Client id: ", "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef"),
        *where,
        ("secret created.*: ", "yesterday"),
        ("a date such as(?s:.*)secret created.*: ", "2026-06-01"),
        ("Application id .*: ", ""),
        (r"Name of the application.*\[our-app\]: ", ""),
        (r"(?s)region.*Number \[1\]: ", "2"),
        *where,
        ("authorized.*: ", "2026-01-15"),
        (r"Name \[store-eu\]: ", ""),
        (r"(?s)Anything else\?.*Number \[6\]: ", AMAZON),
        (r"(?s)Which application.*our-app.*Number \[1\]: ", "1"),
        (r"(?s)region.*Number \[1\]: ", "1"),
        *where,
        ("authorized.*: ", ""),
        (r"Name \[store-na\]: ", "store-eu"),
        ("Not valid: (?s:.*)Name .*: ", "store-us"),
        NO_MORE,
        NOBODY,
    )

    (application,) = data["applications"]
    assert str(application["client_secret_created_on"]) == "2026-06-01"
    assert "application_id" not in application
    stores = [(one["name"], one["region"], one["application"]) for one in data["connections"]]
    assert stores == [("store-eu", "eu", "our-app"), ("store-us", "na", "our-app")]
    assert "authorized_on" not in data["connections"][1]


def test_presets_other_apis_and_countdowns_are_asked_for(tmp_path):
    data, _ = interview(
        tmp_path,
        (r"(?s)monitor\?.*Number \[1\]: ", PRESET),
        (r"(?s)Whose token.*github.*Number \[1\]: ", "2"),
        ("Number .*: ", IN_ENV),
        (r"variable \[GITHUB_TOKEN\]: ", ""),
        (r"Name \[github\]: ", ""),
        (r"(?s)Anything else\?.*Number \[6\]: ", PRESET),
        (r"(?s)Whose token.*Number \[1\]: ", "5"),
        ("Address, such as .*: ", "https://acme.myshopify.com/admin/api/2026-10/shop.json"),
        ("Number .*: ", IN_ENV),
        (r"variable .*: ", ""),
        (r"Name \[shopify\]: ", ""),
        (r"(?s)Anything else\?.*Number \[6\]: ", HTTP),
        ("Address: ", "https://api.example.com/me"),
        (r"(?s)sent\?.*Number \[1\]: ", "2"),
        ("NAME: ", "X-Api-Key"),
        ("Number .*: ", IN_FILE),
        ("Path of the file: ", "key"),
        (r"Name \[api.example.com\]: ", ""),
        (r"(?s)Anything else\?.*Number \[6\]: ", COUNTDOWN),
        ("authorized.*: ", ""),
        ("nothing to count(?s:.*)authorized.*: ", "2026-01-15"),
        ("renewed.*: ", ""),
        (r"Name \[store\]: ", ""),
        NO_MORE,
        NOBODY,
    )

    github, shopify, own, store = data["connections"]
    assert (github["preset"], github["token"]) == ("github", {"env": "GITHUB_TOKEN"})
    assert shopify["url"].startswith("https://acme.myshopify.com")
    assert (own["auth"], own["name"]) == ("header:X-Api-Key", "api.example.com")
    assert (store["provider"], str(store["authorized_on"])) == ("countdown", "2026-01-15")


def test_a_secret_that_is_typed_in_is_not_seen(tmp_path):
    data, seen = interview(
        tmp_path,
        ("Number .*: ", "7"),
        ("a number from 1 to 3(?s:.*)Number .*: ", TYPED),
        ("token .*: ", "ss_live_hunter2"),
        (r"(?s)What now\?.*Number \[1\]: ", "2"),
        ("Slack(?s:.*)Number .*: ", TYPED),
        ("Apprise URL .*: ", "nonsense://hunter2"),
        ("Not valid: Apprise cannot use(?s:.*)Number .*: ", TYPED),
        ("Apprise URL .*: ", "json://anna:hunter2@example.com/"),
        ("Send a test message .*: ", "n"),
        options=("--base-url", "http://127.0.0.1:9/v1", "--name", "acme"),
    )

    path = tmp_path / "config.toml"
    assert "hunter2" not in seen
    assert load_config(path).channels[0].url.reveal() == "json://anna:hunter2@example.com/"
    assert data["connections"][0]["token"] == "ss_live_hunter2"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_what_the_options_leave_open_is_asked(tmp_path):
    data, seen = interview(
        tmp_path,
        (r"(?s)Where should alerts go\?.*Number .*: ", "4"),
        options=(*GIVEN[:4], "--name", "acme"),
    )

    assert "Base URL" not in seen
    assert "want to monitor?" not in seen
    assert "channels" not in data


def test_an_option_of_no_use_ends_it_and_writes_nothing(tmp_path):
    code, seen = converse("config", "init", *GIVEN[:4], "--name", "a/b", cwd=tmp_path, answers=[])

    assert code == 3
    assert "connections[0].name: " in seen
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "answers",
    [[(r"Number \[1\]: ", "\x03")], [(r"Number \[1\]: ", "1"), ("Base URL: ", "\x03")]],
    ids=["at once", "in the middle"],
)
def test_leaving_in_the_middle_writes_nothing(tmp_path, answers):
    code, _ = converse("config", "init", cwd=tmp_path, answers=answers)

    assert code == 130
    assert list(tmp_path.iterdir()) == []


def test_a_secret_on_its_way_into_the_file_does_not_print():
    assert "hunter2" not in repr(SecretPlace(SourceKind.LITERAL, "ss_live_hunter2"))


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("example", CHANNEL_EXAMPLES.values(), ids=CHANNEL_EXAMPLES)
def test_the_examples_of_channels_are_ones(example):
    assert validate_url(Secret(example)) is None
