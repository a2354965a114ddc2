"""A loss with a gradient by hand for `lossgraph check --program "python host.py"`; see docs/protocol.md."""
import json, math, pydoc, sys, traceback, numpy as np
def loss(prediction, target):  # yours: the value, and a gradient for each input (None for integers)
    off = prediction - target
    return np.mean(off**2), [2 * off / off.size, -2 * off / off.size]
def read(x):  # from what follows the line
    return np.frombuffer(data, dtype=x["dtype"], count=math.prod(x["shape"]), offset=x["offset"]).reshape(x["shape"])
def write(x):  # to what follows the line
    if x is None: return x
    offset = sum(map(len, sent))
    sent.append(np.asarray(x, dtype="float64").tobytes())
    return {"shape": np.shape(x), "offset": offset}
def answer(request, inputs=(), kept=[], steps=(), multiples=(), **_):
    kept[:] = [read(each) for each in inputs] or kept  # inputs that are left out are those of the last request
    x, steps = [each.copy() for each in kept], [step and read(step) for step in steps]
    if request == "points":
        return {"values": [float(loss(*[a if s is None else a + t * s for a, s in zip(x, steps)])[0]) for t in multiples]}
    value, gradients = loss(*x)
    return {"value": float(value), "gradients": [write(gradient) for gradient in gradients]}
out, sys.stdout = sys.stdout.buffer, sys.stderr  # what the loss prints is no answer
sys.path.insert(0, "")
if len(sys.argv) > 1: loss = pydoc.locate(sys.argv[1].replace(":", ".")) or sys.exit(f"there is no {sys.argv[1]}")
out.write(b'{"lossgraph": 1, "features": ["bytes", "kept", "points"]}\n'), out.flush()
for asked in map(json.loads, sys.stdin.buffer):
    data, sent = bytearray(sys.stdin.buffer.read(asked["bytes"])), []
    try: result = answer(**asked)
    except Exception: result = {"error": traceback.format_exc()}
    line = json.dumps({"id": asked["id"], "bytes": sum(map(len, sent)), **result}) + "\n"
    out.writelines([line.encode(), *sent]), out.flush()
