"""What came of a model's own test, kept as long as model and test stay the same."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from napari_tessera.models.cache import Facts
from napari_tessera.models.errors import ModelError, message_line
from napari_tessera.models.loaded import OwnTest
from napari_tessera.models.own_test import OwnTestResult, run_own_test

if TYPE_CHECKING:
    from napari_tessera.models.model import Model


class KeptTest:
    """The result of the test that a package brings; shared by all models made of one file.

    Parameters
    ----------
    test : OwnTest or None
        The test; None where there is none.
    facts : Facts
        Where results are kept: under the content of the test tensors and what is allowed, as the
        hash of the model does not tell that they were changed.
    """

    def __init__(self, test: OwnTest | None, facts: Facts) -> None:
        self._test = test
        self._facts = facts
        self._lock = threading.Lock()
        self._is_looked_up = False
        self._result: OwnTestResult | None = None
        self._problem: str | None = None

    @property
    def result(self) -> OwnTestResult | None:
        """What came of it; None where it was not run, or not with these test tensors."""
        with self._lock:
            if not self._is_looked_up:
                self._result = self._known()
                self._is_looked_up = True
            return self._result

    @property
    def failure(self) -> str | None:
        """What is wrong by it, in one line; None where nothing is known to be."""
        result = self.result
        if result is None:
            return self._problem
        return None if result.passed else result.message

    def run(self, model: Model) -> OwnTestResult:
        """Run it and keep the result.

        Raises
        ------
        ModelError
            If there is none, or if its tensors cannot be read.
        """
        try:
            name = self._name()
            result = run_own_test(model)
        except ModelError as error:
            self._problem = f"its own test cannot be run: {message_line(error)}"
            raise
        if name is not None:
            self._facts.put(name, asdict(result))
        with self._lock:
            self._result, self._is_looked_up = result, True
        return result

    def _known(self) -> OwnTestResult | None:
        try:
            name = self._name()
        except ModelError:
            # it cannot be read any more: whoever runs it is told
            return None
        known = None if name is None else self._facts.get(name)
        return _result(known) if isinstance(known, dict) else None

    def _name(self) -> str | None:
        test = self._test
        if test is None or test.content is None:
            return None
        allowed = (
            test.absolute_tolerance,
            test.relative_tolerance,
            test.mismatched_per_million,
            test.halo,
        )
        text = f"{test.content()} {allowed}"
        return f"own_test {hashlib.sha256(text.encode()).hexdigest()}"


def _result(known: dict[str, Any]) -> OwnTestResult | None:
    kinds = {"max_difference": float, "allowed": float, "passed": bool, "message": str}
    is_whole = known.keys() == {field.name for field in fields(OwnTestResult)}
    if not is_whole or any(type(known[name]) is not kind for name, kind in kinds.items()):
        return None
    return OwnTestResult(**known)
