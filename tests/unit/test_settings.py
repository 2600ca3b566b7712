"""Where settings come from, in which order, and what is refused."""

from pathlib import Path

import pytest

from inflect.errors import UsageError
from inflect.settings import RegistryAccess, Settings, is_loopback, load, split_address


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(config: Path | None = None, environ: dict[str, str] | None = None, **flags: object) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load(config, environ or {}, **flags)
    return str(caught.value).splitlines()


def test_nothing_given_is_every_default() -> None:
    assert load(None, {}) == Settings()
    assert Settings().http_address == "127.0.0.1:8080"


def test_the_environment_overrides_the_file_and_flags_override_both(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text(
        'http_address = "127.0.0.1:1"\nmetrics_address = "127.0.0.1:2"\ndatabase_url = "postgresql://f"\n'
    )
    environ = {"INFLECT_METRICS_ADDRESS": "127.0.0.1:3", "INFLECT_DATABASE_URL": "postgresql://e"}
    settings = load(config, environ, database_url="postgresql://flag", processors=None)
    assert settings.http_address == "127.0.0.1:1"
    assert settings.metrics_address == "127.0.0.1:3"
    assert settings.database_url == "postgresql://flag"


def test_inflect_toml_is_read_where_it_lies() -> None:
    Path("inflect.toml").write_text('http_address = "127.0.0.1:9"')
    assert load(None, {}).http_address == "127.0.0.1:9"


def test_paths_in_a_file_count_from_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "pw").write_text("geheim\n")
    (folder / "my.toml").write_text('processors = "js"\nregistry_password_file = "pw"\n')
    settings = load(folder / "my.toml", {"INFLECT_DATA_DIR": "here"})
    assert settings.processors == folder / "js"
    assert settings.registry_password == "geheim"  # noqa: S105  what the file above holds
    assert settings.data_dir == Path("here")


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("INFLECT_KAFKA_BOOTSTRAP_SERVERS", "bootstrap.servers"),
        ("INFLECT_KAFKA_SASL_MECHANISM", "sasl.mechanism"),
        ("INFLECT_KAFKA_SSL_CA_LOCATION", "ssl.ca.location"),
        ("INFLECT_KAFKA_LOG_LEVEL", "log_level"),
    ],
)
def test_kafka_variables_are_librdkafka_properties(variable: str, name: str) -> None:
    assert load(None, {variable: "x"}).kafka == {name: "x"}


def test_the_kafka_table_may_be_dotted_or_quoted(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text(
        '[kafka]\nbootstrap.servers = "a:1"\n"sasl.mechanism" = "PLAIN"\nsocket.keepalive.enable = true\n'
    )
    kafka = {"bootstrap.servers": "a:1", "sasl.mechanism": "PLAIN", "socket.keepalive.enable": "true"}
    assert load(config, {}).kafka == kafka


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, "it loads code or runs a program") for name in (
            "plugin.library.paths", "ssl.engine.location", "ssl.engine.id", "ssl.providers",
            "sasl.kerberos.kinit.cmd", "interceptors",
        )),
        *((name, "exactly-once rests on it") for name in (
            "group.id", "group.instance.id", "group.protocol", "transactional.id", "transaction.timeout.ms",
            "isolation.level", "enable.auto.commit", "auto.commit.interval.ms", "enable.auto.offset.store",
            "auto.offset.reset", "enable.idempotence", "acks", "request.required.acks", "max.poll.interval.ms",
            "partition.assignment.strategy", "message.max.bytes", "enable.partition.eof", "offset.store.method",
        )),
    ],
)  # fmt: skip
def test_properties_that_load_code_or_break_exactly_once_are_refused(name: str, reason: str) -> None:
    variable = "INFLECT_KAFKA_" + name.upper().replace(".", "_")
    [fault] = refusal(environ={variable: "x"})
    assert fault.startswith(f"{variable}: {name} cannot be set")
    assert reason in fault


def test_callbacks_cannot_come_from_a_file(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text('[kafka]\nerror_cb = "os.system"')
    assert "error_cb cannot be set" in refusal(config)[0]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("INFLECT_DATABASE_URL", lambda s: s.database_url),
        ("INFLECT_REGISTRY_PASSWORD", lambda s: s.registry_password),
        ("INFLECT_SECRET_KEY", lambda s: s.secret_key),
        ("INFLECT_KAFKA_SASL_PASSWORD", lambda s: s.kafka["sasl.password"]),
        ("INFLECT_KAFKA_SSL_KEY_PASSWORD", lambda s: s.kafka["ssl.key.password"]),
    ],
)
def test_every_secret_can_be_a_file(tmp_path: Path, variable: str, value: object) -> None:
    secret = tmp_path / "secret"
    secret.write_text("postgresql://geheim\n")
    settings = load(None, {f"{variable}_FILE": str(secret)})
    assert callable(value)
    assert value(settings) == "postgresql://geheim"


def test_a_secret_given_twice_or_in_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    environ = {"INFLECT_SECRET_KEY": "a", "INFLECT_SECRET_KEY_FILE": str(tmp_path / "no")}
    faults = refusal(environ=environ)
    assert any(line.startswith("INFLECT_SECRET_KEY_FILE: the file cannot be read") for line in faults)
    assert "INFLECT_SECRET_KEY_FILE: is given beside INFLECT_SECRET_KEY; keep one of them" in faults


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text('mode = "cloud"\nprocesors = "x"\nhttp_address = 80\n')
    environ = {"INFLECT_HTTP_ADDRESS": "8080", "INFLECT_DATABASE_URL": "mysql://x", "INFLECT_LOG_FORMAT": "xml"}
    faults = refusal(config, environ)
    assert faults == [
        f"{config}: mode: 'cloud' must be one of local, kubernetes",
        f"{config}: procesors: unknown setting, did you mean 'processors'?",
        f"{config}: http_address: must be text, not 80",
        "INFLECT_HTTP_ADDRESS: '8080' must be HOST:PORT, such as 127.0.0.1:8080",
        "INFLECT_DATABASE_URL: must begin with postgresql://",
        "INFLECT_LOG_FORMAT: 'xml' must be one of auto, json, text",
    ]


def test_a_misspelt_variable_is_a_fault_and_a_stranger_is_not() -> None:
    assert refusal(environ={"INFLECT_PROCESORS": "x"}) == [
        "INFLECT_PROCESORS: unknown setting, did you mean 'processors'?"
    ]
    assert load(None, {"INFLECT_BUILD_ID": "17", "PATH": "/bin"}) == Settings()


def test_what_kubernetes_says_of_a_service_called_inflect_is_no_setting() -> None:
    links = ("INFLECT_SERVICE_HOST", "INFLECT_PORT", "INFLECT_PORT_80_TCP_ADDR", "INFLECT_KAFKA_SERVICE_PORT_CLIENTS")
    assert load(None, dict.fromkeys(links, "10.0.0.1")) == Settings()


@pytest.mark.parametrize("text", ["mode = ", "\x00", "a = 1\na = 2"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    config = tmp_path / "my.toml"
    config.write_text(text)
    assert refusal(config)[0].startswith(f"{config}: is no TOML")


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "no.toml")[0]


def test_secrets_are_not_shown() -> None:
    environ = {
        "INFLECT_DATABASE_URL": "postgresql://u:geheim@h/d",
        "INFLECT_SECRET_KEY": "geheim",
        "INFLECT_REGISTRY_PASSWORD": "geheim",
        "INFLECT_KAFKA_SASL_PASSWORD": "geheim",
    }
    assert "geheim" not in repr(load(None, environ))


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:80", True),
        ("127.8.8.8:80", True),
        ("localhost:80", True),
        ("[::1]:80", True),
        ("0.0.0.0:80", False),
        ("[::]:80", False),
        ("10.0.0.1:80", False),
        ("example.org:80", False),
    ],
)
def test_only_this_machine_is_loopback(address: str, loopback: bool) -> None:  # noqa: FBT001  a table's column
    assert is_loopback(address) is loopback


@pytest.mark.parametrize("address", ["", ":80", "host", "host:", "host:x", "host:70000", "::1:80"])
def test_an_address_needs_host_and_port(address: str) -> None:
    with pytest.raises(ValueError, match=r"must be HOST:PORT|in brackets"):
        split_address(address)


def test_the_registry_is_reached_as_the_settings_say(tmp_path: Path) -> None:
    assert load(None, {}).registry() is None
    token = tmp_path / "token"
    token.write_text("geheim\n")
    environ = {"INFLECT_REGISTRY_URL": "https://r.example/apis/", "INFLECT_REGISTRY_TOKEN_FILE": str(token)}
    access = load(None, environ, registry_ca="ca.pem").registry()
    assert access == RegistryAccess("https://r.example/apis", token="geheim", ca="ca.pem")  # noqa: S106  the test's own
    assert "geheim" not in repr(access)


def test_the_registrys_authority_lies_beside_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('registry_ca = "ca.pem"\n')
    assert load(tmp_path / "my.toml", {}).registry_ca == str(tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("r.example:8081", "must begin with http://"),
        ("https://ada:geheim@r.example", "must not hold a password"),
        ("https://r.example/?a=b", "must be the root of the registry"),
        ("https://r exämple/", "must begin with http://"),
        ("http://localhost:99999", "names no host and port"),
        ("http://localhost:abc", "names no host and port"),
        ("http://[::1", "names no host and port"),
        ("http://a..b/", "names no host and port"),
        ("http://:8081", "names no host"),
    ],
)
def test_a_registry_url_that_cannot_be_one_is_refused(url: str, said: str) -> None:
    (fault,) = refusal(environ={"INFLECT_REGISTRY_URL": url})
    assert said in fault
    assert "geheim" not in fault


def test_a_registry_is_logged_in_to_in_one_way() -> None:
    faults = refusal(environ={"INFLECT_REGISTRY_USERNAME": "ada", "INFLECT_REGISTRY_TOKEN": "x"})
    assert faults == ["registry_token: is given beside registry_username; keep one of them"]
