"""What tests of settings need of napari."""

from __future__ import annotations

import pytest
from napari import settings

PLUGIN_SETTINGS = pytest.mark.skipif(
    not hasattr(settings, "get_plugin_settings"),
    reason="napari keeps settings of plugins from 0.9 on",
)
