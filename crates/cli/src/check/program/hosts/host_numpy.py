"""A loss with a gradient by hand for `lossgraph check --program "python host.py"`; see docs/protocol.md."""
import base64, importlib, json, os, sys, traceback
import numpy as np

def loss(prediction, target):  # yours: the value, and a gradient for each input (None for integers)
    off = prediction - target
    return np.mean(off**2), [2 * off / off.size, -2 * off / off.size]

def read(x):
    return np.frombuffer(base64.b64decode(x["data"]), dtype=x["dtype"]).reshape(x["shape"]).copy()

def write(x):
    return x if x is None else {"shape": np.shape(x), "data": base64.b64encode(np.asarray(x, dtype="float64").tobytes()).decode()}

def answer(request, inputs, move=0, step=None, multiples=(), **_):
    if request == "values":
        step = read(step)
        return {"values": [float(loss(*inputs[:move], inputs[move] + t * step, *inputs[move + 1:])[0]) for t in multiples]}
    value, gradients = loss(*inputs)
    return {"value": float(value), "gradients": [write(g) for g in gradients]}

out, sys.stdout = sys.stdout, sys.stderr  # what the loss prints is no answer
sys.path.insert(0, os.getcwd())
if len(sys.argv) > 1:  # one by its name: python host.py my_losses:huber
    module, name = sys.argv[1].split(":")
    loss = getattr(importlib.import_module(module), name)
print(json.dumps({"lossgraph": 1, "features": ["base64", "values"]}), file=out, flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        result = answer(**{**request, "inputs": [read(x) for x in request["inputs"]]})
    except Exception:
        result = {"error": traceback.format_exc()}
    print(json.dumps({"id": request["id"], **result}), file=out, flush=True)
