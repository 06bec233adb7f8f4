from __future__ import annotations

from monitor.config.describe import Origin, list_settings


def shown(config) -> dict[str, tuple[str, Origin]]:
    return {setting.place: (setting.value, setting.origin) for setting in list_settings(config)}


def test_each_setting_says_where_it_comes_from(load):
    settings = shown(load('[checks]\nevery = "5m"'))
    assert settings["checks.every"] == ("5m", Origin.FILE)
    assert settings["checks.timeout"] == ("10s", Origin.DEFAULT)


def test_settings_are_written_much_as_in_the_file(load, connection, tmp_path):
    settings = shown(
        load(
            "[alerts]\nquota_low_percent = [10]\n"
            'quiet_hours = { zone = "UTC", from = "22:00", to = "07:00" }\n'
            '[[channels]]\nname = "ops"\nurl = "json://x"\nkinds = ["expired", "error"]\n'
            + connection("authorized_on = 2026-01-15", 'ca_file = "ca.pem"', 'tags = ["x", "y"]')
        )
    )
    assert settings["alerts.quota_low_percent"] == ("[10]", Origin.FILE)
    assert settings["alerts.quiet_hours"][0] == "{ zone = UTC, from = 22:00, to = 07:00 }"
    assert settings["channels[0].kinds"][0] == "[error, expired]"
    assert settings["channels[0].min_severity"] == ("info", Origin.DEFAULT)
    assert settings["channels[0].template"] == ("not set", Origin.DEFAULT)
    assert settings["connections[0].authorized_on"][0] == "2026-01-15"
    assert settings["connections[0].ca_file"][0] == str(tmp_path / "ca.pem")
    assert settings["connections[0].tags"][0] == "[x, y]"
    assert settings["connections[0].enabled"] == ("true", Origin.DEFAULT)


def test_rhythm_of_a_connection_is_the_one_that_takes_effect(load, connection):
    settings = shown(load('[checks]\nevery = "1h"\ntimeout = "30s"\n' + connection()))
    assert settings["connections[0].every"] == ("1h", Origin.DEFAULT)
    assert settings["connections[0].timeout"] == ("30s", Origin.DEFAULT)


def test_database_is_the_file_that_is_used(load, tmp_path):
    expected = f"sqlite:///{tmp_path}/connwatch.db"
    assert shown(load(""))["monitor.database"] == (expected, Origin.DEFAULT)


def test_secrets_are_masked_and_their_source_named(load, connection, tmp_path):
    settings = shown(
        load(
            connection()
            + connection('name = "b"', 'token = { file = "t" }')
            + connection('name = "c"', 'token = "hunter2"')
        )
    )
    assert settings["connections[0].token"][0] == "•••• (env TOKEN)"
    assert settings["connections[1].token"][0] == f"•••• (file {tmp_path / 't'})"
    assert settings["connections[2].token"][0] == "•••• (literal)"
    assert "hunter2" not in str(settings)


def test_secrets_of_amazon_are_masked_too(load, application, store):
    config = load(
        application('client_secret = "hunter2"') + store('refresh_token = "Atzr|hunter2"')
    )
    settings = shown(config)
    assert settings["applications[0].client_secret"][0] == "•••• (literal)"
    assert settings["connections[0].refresh_token"][0] == "•••• (literal)"
    assert settings["connections[0].region"][0] == "na"
    assert settings["connections[0].probe"] == ("sellers", Origin.DEFAULT)
    assert settings["connections[0].every"] == ("15m", Origin.DEFAULT)
    for text in (str(settings), repr(config), config.model_dump_json()):
        assert "hunter2" not in text


def test_table_that_is_not_there_is_all_defaults(load):
    assert {origin for _value, origin in shown(load("")).values()} == {Origin.DEFAULT}
