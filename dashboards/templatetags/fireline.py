"""Filters and tags that print numbers, durations and bars the way the design asks."""

from django import template

register = template.Library()
