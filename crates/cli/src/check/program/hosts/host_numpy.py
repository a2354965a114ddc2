"""A loss with a gradient by hand for `lossgraph check --program "python host.py"`; see docs/protocol.md."""
import base64, json, pydoc, sys, traceback, numpy as np
def loss(prediction, target):  # yours: the value, and a gradient for each input (None for integers)
    off = prediction - target
    return np.mean(off**2), [2 * off / off.size, -2 * off / off.size]
def read(x):
    return np.frombuffer(base64.b64decode(x["data"]), dtype=x["dtype"]).reshape(x["shape"])
def write(x):
    return x if x is None else {"shape": np.shape(x), "data": base64.b64encode(np.asarray(x, dtype="float64").tobytes()).decode()}
def answer(request, inputs=(), kept=[], steps=(), multiples=(), **_):
    kept[:] = [read(each) for each in inputs] or kept  # inputs that are left out are those of the last request
    x, steps = [each.copy() for each in kept], [step and read(step) for step in steps]
    if request == "points":
        return {"values": [float(loss(*[a if s is None else a + t * s for a, s in zip(x, steps)])[0]) for t in multiples]}
    value, gradients = loss(*x)
    return {"value": float(value), "gradients": [write(gradient) for gradient in gradients]}
out, sys.stdout = sys.stdout, sys.stderr  # what the loss prints is no answer
sys.path.insert(0, "")
if len(sys.argv) > 1: loss = pydoc.locate(sys.argv[1].replace(":", ".")) or sys.exit(f"there is no {sys.argv[1]}")
print(json.dumps({"lossgraph": 1, "features": ["base64", "kept", "points"]}), file=out, flush=True)
for asked in map(json.loads, sys.stdin):
    try: result = answer(**asked)
    except Exception: result = {"error": traceback.format_exc()}
    print(json.dumps({"id": asked["id"], **result}), file=out, flush=True)
