"""Minari datasets as transitions: find one, load it fast, split it by episode."""

from diffsr_hub.data.episodes import Episodes, Moments
from diffsr_hub.data.images import Stack
from diffsr_hub.data.loading import load
from diffsr_hub.data.resolve import Resolution, resolve
from diffsr_hub.data.split import split_by_episode
from diffsr_hub.runs.software import software

__all__ = ["Episodes", "Moments", "Resolution", "Stack", "load", "resolve", "software", "split_by_episode"]
