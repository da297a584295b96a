"""What all steps of programs have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hostile.world import World


class Step(ABC):
    """Something that a program does. It knows no side: it names calls and patches by numbers."""

    @abstractmethod
    def perform(self, world: World) -> Any:
        """Do it. What it returns is compared, and so must hold no object of the program."""


Script = tuple[Step, ...]
