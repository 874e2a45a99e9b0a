"""Starts, watches and stops the programs that make up Fireline on one machine."""
