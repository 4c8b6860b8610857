"""The JSON schema of a prediction plan, and tables of it, made of the classes that read it."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from napari_tessera.models.model import PRECISIONS
from napari_tessera.prediction import plan as plans
from napari_tessera.prediction.normalization import KINDS, MEASURED, STATISTICS, Normalization
from napari_tessera.prediction.plan import PredictionPlan, RunSettings

Schema = dict[str, Any]

COUNT: Schema = {"type": "integer", "minimum": 1}
NATURAL: Schema = {"type": "integer", "minimum": 0}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
VERSIONS = (plans.PLAN_VERSION, plans.VERSION_INSIDE, plans.VERSION_CAMERA)
"""Of plans that this software reads."""

NOT_STORED = ("settings", "model_name", "warnings")
"""Fields that are not among those of the fingerprint."""


def said(text: str, schema: Schema) -> Schema:
    return {"description": text, **schema}


def listed(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def whole(properties: Schema, **more: Any) -> Schema:
    """An object with these entries and no others, all of them needed but for ``optional``."""
    optional = more.pop("optional", ())
    needed = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": False,
        **more,
    }


def axes(letters: str) -> Schema:
    return {"type": "string", "pattern": f"^[{letters}]*$"}


SPATIAL = listed(COUNT, minItems=2, maxItems=3)
REGION = {
    "type": "object",
    "propertyNames": {"enum": list("STCZYX")},
    "additionalProperties": {
        "anyOf": [whole({"start": NATURAL, "stop": COUNT}), listed(NATURAL, minItems=1)]
    },
}
STATISTIC = whole(
    {
        "kind": {"enum": list(STATISTICS)},
        "fraction": {"type": "number", "minimum": 0, "maximum": 1},
        "pooled": {"type": "boolean"},
    }
)
NORMALIZATION = whole(
    {
        "kind": said(
            "Whose numbers are used: nobody's, the model's, each time point's, the series'.",
            {"enum": list(KINDS)},
        ),
        "samples": said(
            "First sample of each row of values, S and T counted as one; empty for one row.",
            listed(NATURAL),
        ),
        "statistics": said(
            "What was measured.",
            listed(STATISTIC, minItems=1),
        ),
        "values": said(
            "Grey levels by row, statistic and channel.",
            listed(listed(listed({"type": "number"}, minItems=1)), minItems=1),
        ),
        "own_numbers": said(
            "Whether numbers that the model brings are used; else the image's take their place.",
            {"type": "boolean"},
        ),
        "measured": said(
            "Whether the values are of a fixed sample of the pixels, or of all.",
            {"enum": list(MEASURED)},
        ),
        "quantile_error": said(
            "Bound of the error of quantiles, as a share of pixels; null for no bound.",
            or_null({"type": "number", "minimum": 0}),
        ),
    }
)
INSIDE = whole(
    {
        "axes": axes("STCZYX"),
        "shape": listed(COUNT),
        "runs": listed(NATURAL, minItems=2),
    }
)
HOT_PIXELS = whole(
    {"what": {"const": "replace"}, "ordinary": listed({"type": "number", "minimum": 0})}
)

FORMS: dict[str, Schema] = {
    "input_axes": said(
        "Axes of the image, a letter each.",
        {"type": "string", "pattern": "^[STCZYX]{2,6}$"},
    ),
    "input_shape": said(
        "Its length along each axis, in pixels.",
        listed(COUNT, minItems=2, maxItems=6),
    ),
    "input_dtype": said(
        "Its data type, as NumPy calls it.",
        {"type": "string"},
    ),
    "input_fingerprint": said(
        "Hash of a few fixed blocks of its pixels: another image is refused.",
        {"type": "string"},
    ),
    "model_sha256": said(
        "SHA-256 of the model, by which it is known again.",
        SHA256,
    ),
    "precision": said(
        "Arithmetic of the model.",
        {"enum": [each for each in PRECISIONS if each != "auto"]},
    ),
    "fold": said(
        "Axes that are run one by one, as further samples.",
        {"enum": ["", "Z", "C", "ZC"]},
    ),
    "input_channels": said(
        "Channels that go to the model, or are run one by one where C is folded; null for all.",
        or_null(listed(NATURAL, minItems=1)),
    ),
    "output_channels": said(
        "Channels of the result; null for as many as the image has.",
        or_null(COUNT),
    ),
    "region_selection": said(
        "The part of the result that is wanted; empty for everything.",
        REGION,
    ),
    "patch_size": said(
        "Size of a tile along (Z,) Y, X, in pixels.",
        SPATIAL,
    ),
    "overlaps": said(
        "Pixels that neighbouring tiles share along each of these.",
        listed({"type": "integer", "minimum": 0, "multipleOf": 2}, minItems=2, maxItems=3),
    ),
    "alignment": said(
        "Tiles start at multiples of this along each of these.",
        SPATIAL,
    ),
    "blending": said(
        "How tiles are joined: by their cores, or as weighted sums where they overlap.",
        {"enum": list(plans.BLENDINGS)},
    ),
    "normalization": said(
        "What is done to grey levels, with the numbers of the image.",
        NORMALIZATION,
    ),
    "output_dtype": said(
        "Data type of the result, as NumPy calls it.",
        {"type": "string"},
    ),
    "tta": said(
        "What is made of the predictions of the 8 flips and turns of a tile; none: there is one.",
        {"enum": list(plans.TTA)},
    ),
    "insets": said(
        "Pixels at the inner ends of each tile that blending leaves out; empty for cores.",
        listed(NATURAL, maxItems=3),
    ),
    "inside": said(
        "Which tiles are predicted; without it all are.",
        INSIDE,
    ),
    "hot_pixels": said(
        "How outliers are told that are replaced before the model sees them.",
        HOT_PIXELS,
    ),
    "camera_offset": said(
        "Grey level that the camera gives without light; without it 0.",
        {"type": "number"},
    ),
    "camera_gain": said(
        "Grey levels per photo-electron; without it 1.",
        {"type": "number", "exclusiveMinimum": 0},
    ),
}
"""What each field is in JSON. The fields are those of the class."""

SETTINGS: dict[str, Schema] = {
    "batch_size": said(
        "Tiles that go through the model at once.",
        COUNT,
    ),
    "reader_threads": said(
        "Threads that read tiles ahead.",
        COUNT,
    ),
    "torch_threads": said(
        "Threads of the model on a CPU; null for PyTorch's choice.",
        or_null(COUNT),
    ),
}


def of_class(kind: type, forms: dict[str, Schema]) -> dict[str, Schema]:
    """The forms of a class's fields, in their order.

    Raises
    ------
    ValueError
        If a field has no form here, or a form no field.
    """
    names = [each.name for each in fields(kind) if each.name not in NOT_STORED]
    if set(names) != set(forms):
        raise ValueError(f"{kind.__name__}: {sorted(set(names) ^ set(forms))}: field or form only")
    return {name: forms[name] for name in names}


def plan_schema() -> Schema:
    """The schema of what `PredictionPlan.to_json` gives."""
    of_class(Normalization, NORMALIZATION["properties"])
    optional = [
        each.name
        for each in fields(PredictionPlan)
        if each.default is None and each.name in FORMS and "anyOf" not in FORMS[each.name]
    ]
    camera = [name for name in optional if name != "inside"]
    has_camera = {"anyOf": [{"required": [name]} for name in camera]}
    version = {
        "description": "Version of the plan: the least that software must know to follow it.",
        "enum": list(VERSIONS),
    }
    fingerprint = whole(
        {"version": version, **of_class(PredictionPlan, FORMS)},
        optional=optional,
        description="What decides the pixels; the fingerprint is the SHA-256 of these entries.",
        allOf=[
            {
                "if": has_camera,
                "then": version_is(plans.VERSION_CAMERA),
                "else": {
                    "if": {"required": ["inside"]},
                    "then": version_is(plans.VERSION_INSIDE),
                    "else": version_is(plans.PLAN_VERSION),
                },
            }
        ],
    )
    settings = whole(
        of_class(RunSettings, SETTINGS), description="How the plan is run; decides no pixels."
    )
    name = {"type": "string", "description": "What the model is called; it is known by its hash."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:napari-tessera:plan",
        "title": "Prediction plan of napari-tessera",
        **whole({"fingerprint_of": fingerprint, "settings": settings, "model_name": name}),
    }


def version_is(number: int) -> Schema:
    return {"properties": {"version": {"const": number}}}


def form_of(schema: Schema) -> str:
    """What a value is, in a few words."""
    if "anyOf" in schema:
        return " or ".join(form_of(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if schema["type"] == "array":
        return f"list of {form_of(schema['items'])}"
    return str(schema["type"])


def table(schema: Schema) -> str:
    """The entries of an object."""
    lines = ["| entry | value | |", "|---|---|---|"]
    for name, entry in schema["properties"].items():
        needed = "" if name in schema["required"] else "*Left out where there is none.* "
        text = entry.get("description", "").replace("``", "`").replace("|", r"\|")
        lines.append(f"| `{name}` | {form_of(entry)} | {needed}{text} |")
    return "\n".join(lines) + "\n\n"


def schema_text() -> str:
    """The schema's file."""
    return json.dumps(plan_schema(), indent=2, ensure_ascii=False) + "\n"


def plan_tables() -> dict[str, str]:
    """Tables of the page on plans, by the name of their mark."""
    top = plan_schema()["properties"]
    stored = top["fingerprint_of"]["properties"]
    return {
        "fingerprint_of": table(top["fingerprint_of"]),
        "normalization": table(stored["normalization"]),
        "settings": table(top["settings"]),
    }
