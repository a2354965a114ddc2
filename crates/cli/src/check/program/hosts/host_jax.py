"""A loss of JAX for `lossgraph check --program "python host.py"`; docs/protocol.md describes the lines."""
import base64, importlib, json, os, sys, traceback
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)

def loss(logits, labels):  # yours, or one by its name: python host.py my_losses:focal
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1).mean()

def read(x):
    return jnp.asarray(np.frombuffer(base64.b64decode(x["data"]), dtype=x["dtype"]).reshape(x["shape"]))

def write(x):
    return {"shape": list(x.shape), "data": base64.b64encode(np.asarray(x, dtype="float64").tobytes()).decode()}

def answer(request, inputs, move=0, step=None, multiples=(), direction=None, **_):
    if request == "values":
        step = read(step)
        return {"values": [float(value(*inputs[:move], inputs[move] + t * step, *inputs[move + 1:])) for t in multiples]}
    floats = tuple(i for i, x in enumerate(inputs) if jnp.issubdtype(x.dtype, jnp.floating))
    y, gradients = value_and_grad(floats, *inputs)
    if request == "products":
        try:
            gradients = products(floats, floats.index(move), read(direction), *inputs)
        except Exception as error:
            return {"missing": f"{type(error).__name__}: {error}"}
    gradients = dict(zip(floats, gradients))
    return {"value": float(y), "gradients": [write(gradients[i]) if i in gradients else None for i in range(len(inputs))]}

out, sys.stdout = sys.stdout, sys.stderr  # what the loss prints is no answer
sys.path.insert(0, os.getcwd())
if len(sys.argv) > 1:
    module, name = sys.argv[1].split(":")
    loss = getattr(importlib.import_module(module), name)
value = jax.jit(loss)
value_and_grad = jax.jit(lambda floats, *x: jax.value_and_grad(loss, floats)(*x), static_argnums=0)
slope = lambda floats, of, v, *x: jnp.vdot(v, jax.grad(loss, floats)(*x)[of])
products = jax.jit(lambda floats, of, v, *x: jax.grad(lambda *x: slope(floats, of, v, *x), floats)(*x), static_argnums=(0, 1))
print(json.dumps({"lossgraph": 1, "features": ["base64", "values", "products"]}), file=out, flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        result = answer(**{**request, "inputs": [read(x) for x in request["inputs"]]})
    except Exception:
        result = {"error": traceback.format_exc()}
    print(json.dumps({"id": request["id"], **result}), file=out, flush=True)
