from __future__ import annotations

from napari_tessera.models.about import About, Citation

ATTACK = "\x1b]0;owned\x07\x1b[31mA\r\nB\u202e\x9bC"


def test_no_text_of_a_file_moves_a_terminals_cursor() -> None:
    about = About(
        ATTACK, ATTACK, ATTACK, ATTACK, ATTACK, (ATTACK, "\x07"), (Citation(ATTACK, ATTACK),)
    )
    plain = "]0;owned [31mA B C"
    assert about == About(plain, plain, plain, plain, plain, (plain,), (Citation(plain, plain),))
    assert about.title == plain


def test_text_of_nothing_but_such_characters_is_none() -> None:
    assert About(title="\x1b\x07") == About()


def test_letters_of_all_scripts_stay() -> None:
    assert About(title="Zellkerne Übersicht – 細胞").title == "Zellkerne Übersicht – 細胞"
