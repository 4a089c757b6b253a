"""Whole ZooSpan sites on the loopback interface: ZooKeeper ensembles, RabbitMQ brokers and appliers, started, watched
and stopped for the demonstration and the end-to-end scenarios. Everything runs from one run directory, on free ports,
as the user who calls, and only what was started here is ever stopped."""
