"""Trained networks that come with the package, and their cards.

>>> from srcnn.champions import champion_card, load_champion
>>> load_champion(3).config.scale
3
>>> champion_card(3).score("Set5").bicubic_psnr > 30
True
"""

from srcnn.champions.card import Card
from srcnn.champions.shipped import champion_card, load_champion

__all__ = ["Card", "champion_card", "load_champion"]
