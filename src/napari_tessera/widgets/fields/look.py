"""How the dock looks on top of napari's style: message colours that can be read in both themes."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

LABEL_WIDTH = 52
"""Width of the column of labels, px."""

GAP = 4
"""Distance between neighbouring widgets, px."""

# napari's own error and warning colours are made for icons: as text they fall below the contrast
# of 4.5 to 1 on napari's backgrounds.
_COLOURS = {
    "dark": {"error": "#ff8078", "warning": "#e3b617", "good": "#5fd38d", "muted": "#b8bcc4"},
    "light": {"error": "#b3121f", "warning": "#7a5200", "good": "#125e33", "muted": "#56565c"},
}
_ACCENTS = {"dark": "#8fa6ff", "light": "#2f4fb5"}
_BORDERS = {"dark": "#424a54", "light": "#c5c3c1"}
_MAIN = {"dark": ("#3f5bc4", "#ffffff"), "light": ("#2f4fb5", "#ffffff")}


def kind_of_theme(name: str) -> str:
    """Whether one of napari's themes is ``"dark"`` or ``"light"``, by its background.

    napari 0.7 does not say. Brightness is the luma of Rec. ITU-R BT.601.
    """
    from napari.utils.theme import get_theme

    red, green, blue = get_theme(name).background.as_rgb_tuple(alpha=False)
    return "light" if 0.299 * red + 0.587 * green + 0.114 * blue > 127.5 else "dark"


def link_colour(theme_type: str) -> str:
    """Colour of links in text, for a theme of type ``"dark"`` or ``"light"``."""
    return _ACCENTS.get(theme_type, _ACCENTS["dark"])


def style_sheet(theme_type: str) -> str:
    """Style sheet of the dock for a theme of type ``"dark"`` or ``"light"``."""
    kind = theme_type if theme_type in _COLOURS else "dark"
    accent = _ACCENTS[kind]
    background, text = _MAIN[kind]
    levels = "".join(
        f'QLabel[level="{level}"] {{ color: {colour}; }}\n'
        for level, colour in _COLOURS[kind].items()
    )
    return f"""
{levels}
QPushButton#main {{ background-color: {background}; color: {text}; font-weight: bold;
  padding: 4px; min-height: 20px; border: 2px solid transparent; }}
QPushButton#main:disabled {{ background-color: none; color: {_COLOURS[kind]["muted"]};
  border: 2px solid {_BORDERS[kind]}; }}
QPushButton#main:focus {{ border: 2px solid {accent}; }}
QPushButton#link {{ background: none; color: {accent}; padding: 1px 2px; text-align: left; }}
QPushButton#link:hover {{ text-decoration: underline; }}
QPushButton#link:disabled {{ color: {_COLOURS[kind]["muted"]}; border: none; }}
QToolButton {{ border: 1px solid {_BORDERS[kind]}; border-radius: 2px; min-width: 12px; }}
QToolButton:hover, QToolButton:checked {{ background-color: {_BORDERS[kind]}; }}
QPushButton#header {{ text-align: left; padding: 2px; }}
QLineEdit, QComboBox {{ border: 1px solid transparent; }}
QComboBox {{ padding: 3px 2px 3px 6px; }}
QPushButton:focus, QToolButton:focus, QComboBox:focus, QLineEdit:focus, QCheckBox:focus {{
  border: 1px solid {accent};
}}
QLineEdit[wrong="true"], QComboBox[wrong="true"] {{ border: 1px solid {_COLOURS[kind]["error"]}; }}
"""


def set_property(widget: QWidget, name: str, value: object) -> None:
    """Set a property that the style sheet selects by, and let the style follow."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    style = widget.style()
    if style is not None:
        style.unpolish(widget)
        style.polish(widget)
