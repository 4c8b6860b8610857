from __future__ import annotations

import pytest

from napari_tessera.models.torchscript.source import RefusedCodeError, check_code

_CLASS = """\
class Net(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  weight : Tensor
  training : bool
  scale : Final[float] = 0.10000000000000001
  kernel : Final[Tuple[int, int]] = (3, -3)
  where : Final[Device] = torch.device("cpu")
  __annotations__["0"] = __torch__.torch.nn.modules.conv.Conv2d
  def forward(self: __torch__.Net,
    x: Tensor,
    sizes: List[int]=annotate(List[int], []),
    mode: str="reflect") -> Tensor:
    _0 = __torch__.torch.nn.functional.interpolate
    h, w, = torch.slice(torch.size(x), -2)
    layer = getattr(self, "0")
    if torch.eq(h, 0):
      ops.prim.RaiseException("it said \\"no\\" # not a comment", "builtins.ValueError")
    else:
      pass
    y = torch.conv2d((layer).forward(x, ), CONSTANTS.c0, None, [1, 1], [1, 1])
    return torch.add_(_0(y, None, 2., ), int(ops.prim.NumToTensor(w)))
"""


def test_what_pytorch_writes_passes() -> None:
    check_code(_CLASS.encode())
    check_code(b"op_version_set = 1\n" + _CLASS.encode())
    check_code(b"class Size(NamedTuple):\n  h : int\n  w : int\n")


def _in_body(statement: str) -> str:
    return _CLASS.replace("    y = ", f"    {statement}\n    y = ")


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ('z = torch.from_file("f", True, 10)', "from_file"),
        ('z = torch.save(x, "f")', "save"),
        ('z = ("f").from_file(True, 10)', "from_file"),
        ("t = torch", r"torch\.\(all of it\)"),
        ("t = torch.relu", r"torch\.relu"),
        ('z = getattr(torch, "relu")(x)', r"torch\.\(all of it\)"),
        ('z = getattr(x, "from_file")', "from_file"),
        ('z = getattr(x, "from\\137file")', "from_file"),
        ("z = getattr(x, h)", "not written out"),
        ("z = torch.as_strided(x, [9], [9])", r"torch\.as_strided"),
        ("z = torch.manual_seed(3)", r"torch\.manual_seed"),
        ("z = ops.torchvision.nms(x, x, 0.5)", r"custom operation torchvision\.nms"),
        ('z = ops.aten.from_file("f", True, 10)', "custom operation aten"),
        ("z = ops.prim.rpc_async(x)", r"prim\.rpc_async"),
        ("o = ops.prim", "prim"),
        ("z = __torch__.torch.classes.quantized.Conv2dPackedParamsBase", "custom class"),
        ("(self).__setstate__(1)", "__setstate__"),
        ("(self).__reduce__()", "__reduce__"),
        ("# comment", "'#'"),
        ("z = 3; w = 4", "';'"),
        ("z = r'a'", "strings"),
        ('z = """a"""', "strings"),
        ("z = 'a' 'b'", "strings"),
        ("z = 'é'", "ASCII"),
        ("z = 1 \\\n + 2", r"'\\\\'"),
        ("z =\t1", r"'\\t'"),
        (f"z = {'(' * 101}1{')' * 101}", "nests more than 100"),
    ],
)
def test_what_could_do_more_than_compute_is_refused(statement: str, says: str) -> None:
    with pytest.raises(RefusedCodeError, match=says):
        check_code(_in_body(statement).encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('mode: str="reflect"', "mode: int=torch.size(torch.zeros([1]), 0)"),
        ('mode: str="reflect"', "mode: List[int]=[torch.len([])]"),
        ("= 0.10000000000000001", "= torch.mul(2, 3)"),
        ("= (3, -3)", "= (3, torch.neg(3))"),
        ("x: Tensor", "x: Tensor(torch.neg(3))"),
        ("training : bool", "training : bool(torch.neg(3))"),
        ('__annotations__["0"] = ', '__annotations__["0"] = torch.neg(3)  '),
        ('__annotations__["0"]', "__annotations__[torch.neg(3)]"),
    ],
)
def test_what_runs_while_it_is_loaded_is_refused(old: str, new: str) -> None:
    """PyTorch computes defaults and constants of classes while it loads them."""
    assert old in _CLASS
    with pytest.raises(RefusedCodeError):
        check_code(_CLASS.replace(old, new).encode())


@pytest.mark.parametrize(
    "code",
    [
        "torch.zeros([1])\n",
        "x = torch.zeros([1])\n",
        "import os\n",
        "@torch.relu(1)\ndef f(x: Tensor) -> Tensor:\n  return x\n",
        "class Net(torch.relu(1)):\n  pass\n",
        "class Net(Interface):\n  pass\n",
        "class Net(Module):\n  print(1)\n",
        "class Net(Module):\n  class Inner(Module):\n    pass\n",
        "def f(x: Tensor) -> Tensor:\n  return x +\n",
        "def f(x: Tensor) -> Tensor:\n  g = lambda y=torch.neg(3): y\n  return x\n",
    ],
)
def test_other_statements_are_refused(code: str) -> None:
    with pytest.raises(RefusedCodeError):
        check_code(code.encode())


def test_an_attribute_may_have_a_namespace_for_a_name() -> None:
    check_code(b"class Net(Module):\n  ops : Tensor\n  torch : int\n")
    check_code(b"def f(x: __torch__.Net) -> Tensor:\n  return torch.relu(x.ops)\n")
