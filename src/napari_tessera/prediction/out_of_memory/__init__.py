"""What a run does where a device has too little memory: less at once, then the CPU."""

from napari_tessera.prediction.out_of_memory.ladder import NoRoomError, WithinMemory
from napari_tessera.prediction.out_of_memory.notices import Notices

__all__ = ["NoRoomError", "Notices", "WithinMemory"]
