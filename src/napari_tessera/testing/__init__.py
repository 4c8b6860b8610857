"""Conformance checks for stacks and writers of one's own; no test runner is needed to run them."""

from napari_tessera.testing.closing import check_closes
from napari_tessera.testing.image_stack import IMAGE_STACK_CHECKS, check_image_stack, check_patch
from napari_tessera.testing.reference import Reference
from napari_tessera.testing.write_strategy import WRITE_STRATEGY_CHECKS, check_write_strategy

__all__ = [
    "IMAGE_STACK_CHECKS",
    "WRITE_STRATEGY_CHECKS",
    "Reference",
    "check_closes",
    "check_image_stack",
    "check_patch",
    "check_write_strategy",
]
