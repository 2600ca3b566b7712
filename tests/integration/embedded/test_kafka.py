"""The embedded broker, from its directory to its end."""

from pathlib import Path

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin


def test_the_broker_answers_under_its_address(kafka: KafkaServer) -> None:
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        assert admin.cluster().brokers == 1
