from pathlib import Path

from inflect.embedded.kafka import _port_in, _read_properties


def test_the_ports_of_the_last_start_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_text("node.id=1\nlisteners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:20001\n")
    properties = _read_properties(path)
    assert (_port_in(properties, 0), _port_in(properties, 1)) == (9092, 20001)


def test_a_directory_without_a_last_start_has_no_ports(tmp_path: Path) -> None:
    assert _port_in(_read_properties(tmp_path / "absent"), 0) is None
