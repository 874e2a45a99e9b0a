"""Which version of each service runs, and the one that `bad-deploy` brings."""

VERSIONS = {
    "control": "1.0.0",
    "gateway": "5.4.1",
    "checkout": "2.15.0",
    "payment": "1.9.3",
    "provider-a": "7.2.0",
    "provider-b": "3.11.4",
    "inventory": "4.0.2",
    "accounts": "2.6.0",
    "worker": "1.3.1",
    "load": "1.0.0",
}
BAD_CHECKOUT = "2.16.0"
