"""A loss of JAX for `lossgraph check --program "python host.py"`; docs/protocol.md describes the lines."""
import json, math, pydoc, sys, traceback, jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)
def loss(logits, labels):  # yours, or one by its name: python host.py my_losses:focal
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1).mean()
def read(x):  # from what follows the line
    return jnp.asarray(np.frombuffer(data, dtype=x["dtype"], count=math.prod(x["shape"]), offset=x["offset"]).reshape(x["shape"]))
def write(x):  # to what follows the line
    if x is None: return x
    offset = sum(map(len, sent))
    sent.append(np.asarray(x, dtype="float64").tobytes())
    return {"shape": x.shape, "offset": offset}
def answer(request, inputs=(), kept=[], steps=(), multiples=(), move=0, direction=None, **_):
    kept[:] = [read(each) for each in inputs] or kept  # inputs that are left out are those of the last request
    x, steps = list(kept), [step and read(step) for step in steps]
    if request == "points":
        return {"values": [float(value(*[a if s is None else a + t * s for a, s in zip(x, steps)])) for t in multiples]}
    floats = tuple(i for i, each in enumerate(x) if jnp.issubdtype(each.dtype, jnp.floating))
    slopes = products(floats, move, read(direction), *x) if request == "products" else gradients(floats, *x)
    slopes = dict(zip(floats, slopes))
    return {"value": float(value(*x)), "gradients": [write(slopes.get(i)) for i in range(len(x))]}
out, sys.stdout = sys.stdout.buffer, sys.stderr  # what the loss prints is no answer
sys.path.insert(0, "")
if len(sys.argv) > 1: loss = pydoc.locate(sys.argv[1].replace(":", ".")) or sys.exit(f"there is no {sys.argv[1]}")
value, gradients = jax.jit(loss), jax.jit(lambda floats, *x: jax.grad(loss, floats)(*x), static_argnums=0)
slope = lambda move, v, *x: jnp.vdot(v, jax.grad(loss, move)(*x))
products = jax.jit(lambda floats, move, v, *x: jax.grad(lambda *x: slope(move, v, *x), floats)(*x), static_argnums=(0, 1))
out.write(b'{"lossgraph": 1, "features": ["bytes", "kept", "points", "products"]}\n'), out.flush()
for asked in map(json.loads, sys.stdin.buffer):
    data, sent = bytearray(sys.stdin.buffer.read(asked["bytes"])), []
    try: result = answer(**asked)
    except Exception as error: result = {"missing": str(error)} if asked["request"] == "products" else {"error": traceback.format_exc()}
    line = json.dumps({"id": asked["id"], "bytes": sum(map(len, sent)), **result}) + "\n"
    out.writelines([line.encode(), *sent]), out.flush()
