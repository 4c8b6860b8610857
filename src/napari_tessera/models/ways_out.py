"""Ways out that several loaders name: the last sentence of a refusal, without a full stop."""

EXPORT = (
    "Export the network where it runs: torch.jit.trace(net.eval(), example).save('model.pt'), "
    "or pass the module itself to load_model in Python"
)
SAVE_AGAIN = "Save or download it again"
PACKAGE_AGAIN = "Download or export the package again"
OTHER_WEIGHTS = (
    "Ask its author for TorchScript or ONNX weights, or add them where you trust its code "
    "(bioimageio add-weights, of bioimageio.core)"
)
CHANNELS_FIRST = "Export it with the axes: samples, channels, then space"
