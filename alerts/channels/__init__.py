"""How a notification leaves: one file per kind of channel, each with `send(channel, notification)`."""
