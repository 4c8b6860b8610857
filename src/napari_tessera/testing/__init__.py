"""Conformance checks for stacks of one's own; no test runner is needed to run them."""

from napari_tessera.testing.closing import check_closes
from napari_tessera.testing.image_stack import IMAGE_STACK_CHECKS, check_image_stack, check_patch
from napari_tessera.testing.reference import Reference

__all__ = [
    "IMAGE_STACK_CHECKS",
    "Reference",
    "check_closes",
    "check_image_stack",
    "check_patch",
]
