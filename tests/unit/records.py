"""A saved connection with what it must have, and one with a value of its own in every field."""

from __future__ import annotations

from dataclasses import replace

from tusk_jupyter.connections.saved import SavedConnection, SshTunnel

PLAIN = SavedConnection(
    id="11111111-1111-4111-8111-111111111111", name="shop", host="db.example.org", database="shop", username="analyst"
)
# but for the times, which are the row's, and an embedded server's name, which goes with no address
FULL = replace(
    PLAIN,
    port=6432,
    ssl_mode="verify-full",
    ssl_ca_cert="/ca.pem",
    ssl_client_cert="/me.pem",
    ssl_client_key="/me.key",
    ssh_tunnel=SshTunnel("bastion.example.org", 2222, "hop", "key", "/id", 15432, "jump"),
    read_only=True,
    statement_timeout_ms=30_000,
    lock_timeout_ms=250,
    connect_timeout_s=3.5,
    pool_timeout_s=7.0,
    application_name="reports",
    pool_size=3,
    color="red",
    group_id="22222222-2222-4222-8222-222222222222",
    history=False,
    parameters={"target_session_attrs": "read-write", "options": r"-c x='it\s' y"},
)
