"""The contestant that transforms nothing: consume, produce, commit in a transaction, as confluent-kafka's examples do.

`python -m tests.bench.passthrough SERVERS SOURCE TARGET GROUP`; runs until SIGTERM.
"""

import sys

from confluent_kafka import Consumer, Producer

BATCH = 10_000
WAIT_S = 0.05


def main() -> None:
    """Pass batches through, a transaction each, with the settings a pipeline gets."""
    servers, source, target, group = sys.argv[1:]
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "queued.max.messages.kbytes": 16_384,
            "fetch.wait.max.ms": 100,
        }
    )
    producer = Producer(
        {"bootstrap.servers": servers, "transactional.id": group, "compression.type": "lz4", "linger.ms": 20}
    )
    producer.init_transactions()
    consumer.subscribe([source])
    while True:
        messages = consumer.consume(BATCH, WAIT_S)
        if not messages:
            continue
        producer.begin_transaction()
        for message in messages:
            producer.produce(target, message.value(), message.key())
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
        )
        producer.commit_transaction()


if __name__ == "__main__":
    main()
