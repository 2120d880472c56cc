"""A plugin whose rules and passes are all wrong, each as a compiler might well be wrong: for tests of verification.

    gopt run --plugin tests/planted/wrong --passes wrong.layers.mean_sign,@default model.onnx

What each needs to fire, and on which numbers it shows, stands in `tests/planted/plants.py`.
"""

MODULES = ("arithmetic", "layers", "movement", "sizes", "numbers", "structure", "failing")
