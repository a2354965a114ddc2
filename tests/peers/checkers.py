"""Mistakes planted in the backward passes of PyTorch's losses, and which checker finds them: lossgraph
through its protocol, torch.gradcheck (slow and fast) and JAX's check_grads, in the same run.

    python tests/peers/checkers.py target/release/lossgraph [--trials 10]

Needs torch and jax. Prints the table of docs/checking.md, the false alarms, and the milliseconds of an honest check:
the least of three, so that neither compiling nor a busy machine counts. What an honest check of lossgraph is made of
follows: how often the loss was evaluated, the milliseconds of that and of all that its host did, and those that the
command took to start and to end, which are not among the others.
A mistake is planted by an identity whose backward pass is wrong, at one of the inputs of a loss.
"""
import argparse, base64, collections, functools, importlib, json, os, random, re, socket, subprocess, sys, tempfile, time
import traceback, warnings
import jax, jax.numpy as jnp, numpy as np, torch
import torch.nn.functional as F
from jax.test_util import check_grads

jax.config.update("jax_enable_x64", True)
torch.set_num_threads(1)  # tensors are small: threads would wait for each other
warnings.filterwarnings("ignore")
SIZES = ["8x32", "64x32", "256x256"]
# Where fast mode finds something, it runs slow mode for the text of its message: at 256x256, a Jacobian of 32 GiB.
importlib.import_module("torch.autograd.gradcheck")._run_slow_mode_and_get_error = lambda *_, **__: "wrong"

# Each loss twice, of the same inputs a and b: by PyTorch and by JAX.
def labels(a): return torch.arange(a.shape[0]) * 7 % a.shape[1]
def jlabels(a): return jnp.arange(a.shape[0]) * 7 % a.shape[1]
def jhuber(d, delta): return jnp.where(jnp.abs(d) <= delta, d * d / 2, delta * (jnp.abs(d) - delta / 2))
def jdistance(a, b): return jnp.sqrt(jnp.sum((a - b + 1e-6) ** 2, 1))
def jsoft(x): return jnp.logaddexp(0, x)
LOSSES = {
    "cross_entropy": (lambda a, b: F.cross_entropy(a + 0 * b, labels(a)),
                      lambda a, b: -jnp.take_along_axis(jax.nn.log_softmax(a), jlabels(a)[:, None], 1).mean()),
    "mse_loss": (lambda a, b: F.mse_loss(a, b), lambda a, b: ((a - b) ** 2).mean()),
    "huber_loss": (lambda a, b: F.huber_loss(torch.tanh(a) * 2, b, reduction="sum", delta=0.7),
                   lambda a, b: jhuber(jnp.tanh(a) * 2 - b, 0.7).sum()),
    "bce_with_logits": (lambda a, b: F.binary_cross_entropy_with_logits(a, torch.sigmoid(b)),
                        lambda a, b: (jsoft(a) - a * jax.nn.sigmoid(b)).mean()),
    "kl_div": (lambda a, b: F.kl_div(F.log_softmax(a, -1), F.softmax(b, -1), reduction="batchmean"),
               lambda a, b: (jax.nn.softmax(b) * (jax.nn.log_softmax(b) - jax.nn.log_softmax(a))).sum(1).mean()),
    "triplet_margin": (lambda a, b: F.triplet_margin_loss(a, b, b.flip(0), margin=9.0),
                       lambda a, b: jnp.maximum(jdistance(a, b) - jdistance(a, b[::-1]) + 9.0, 0).mean()),
    "cosine_embedding": (lambda a, b: F.cosine_embedding_loss(a, b, torch.ones(a.shape[0])),
                         lambda a, b: (1 - (a * b).sum(1) / jnp.sqrt((a * a).sum(1) * (b * b).sum(1))).mean()),
}

# What becomes of a cotangent g; xp is numpy or jax.numpy, so that both libraries have the same mistake.
def element(factor):
    return lambda xp, g, at: g * xp.where(xp.arange(g.size).reshape(g.shape) == at % g.size, factor, 1.0)
MISTAKES = {
    "sign flipped": lambda xp, g, at: -g,
    "twice": lambda xp, g, at: 2 * g,
    "+5 %": lambda xp, g, at: 1.05 * g,
    "+1 %": lambda xp, g, at: 1.01 * g,
    "+0.1 %": lambda xp, g, at: 1.001 * g,
    "transposed": lambda xp, g, at: g.T.reshape(g.shape),
    "missing broadcast sum": lambda xp, g, at: xp.where(xp.arange(g.shape[0])[:, None] == 0, g, 0.0),
    "dropped path": lambda xp, g, at: 0 * g,
    "element: sign flipped": element(-1.0),
    "element: +100 %": element(2.0),
    "element: +5 %": element(1.05),
    "element: +1 %": element(1.01),
    "element: +0.1 %": element(1.001),
}

class Planted(torch.autograd.Function):
    """The identity, with a backward pass that is wrong."""
    @staticmethod
    def forward(ctx, x, wrong, at):
        ctx.wrong, ctx.at = wrong, at
        return x.clone()
    @staticmethod
    def backward(ctx, g):
        return torch.from_numpy(np.ascontiguousarray(ctx.wrong(np, g.numpy(), ctx.at))), None, None

def planted_in_torch(loss, which, wrong, at):
    return lambda *x: loss(*[Planted.apply(y, wrong, at) if i == which else y for i, y in enumerate(x)])

def planted_in_jax(loss, which, wrong, at):
    identity = jax.custom_vjp(lambda x: x)
    identity.defvjp(lambda x: (x, None), lambda _, g: (wrong(jnp, g, at),))
    return lambda *x: loss(*[identity(y) if i == which else y for i, y in enumerate(x)])

# The checkers: each says whether it found something wrong.
def by_gradcheck(fast):
    def check(f, jf, xs):
        inputs = tuple(torch.from_numpy(x).requires_grad_() for x in xs)
        return not torch.autograd.gradcheck(f, inputs, fast_mode=fast, raise_exception=False)
    return check

def by_check_grads(f, jf, xs):
    try:
        check_grads(jf, tuple(jnp.asarray(x) for x in xs), order=1, modes=["rev"])
    except AssertionError:
        return True
    return False

class Lossgraph:
    """lossgraph check, whose program is this process, through the pipes of one that it starts."""
    def __init__(self, binary):
        self.binary = binary
        self.seconds = None
        self.parts = {}

    def __call__(self, f, jf, xs):
        count = 0
        evaluating = 0.0
        def timed(*x):
            nonlocal count, evaluating
            count += 1
            started = time.perf_counter()
            y = f(*x)
            evaluating += time.perf_counter() - started
            return y
        started = time.perf_counter()
        passed, report = self.check(timed, xs)
        self.seconds = report["seconds"]
        self.parts = {"evaluations": count, "loss": 1e3 * evaluating, "host": 1e3 * self.answering,
                      "start and end": 1e3 * (time.perf_counter() - started - self.seconds)}
        return not passed

    def check(self, f, xs, orders=1):
        tensors = {n: {"dtype": "float64", "shape": x.shape, "data": base64.b64encode(x.tobytes()).decode()} for n, x in zip("ab", xs)}
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as door:
            inputs, address = os.path.join(folder, "inputs.json"), os.path.join(folder, "door")
            with open(inputs, "w") as file:
                json.dump(tensors, file)
            door.bind(address), door.listen()
            run = subprocess.Popen([self.binary, "check", "--json", "--order", str(orders), "--inputs", inputs,
                                    "--program", f"exec {sys.executable} -IS -c '{HAND_OVER}' {address}"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            with door.accept()[0] as guest:
                _, (asked, answered), _, _ = socket.recv_fds(guest, 1, 2)
                with open(asked, "rb") as requests, open(answered, "wb") as answers:
                    self.answering = host(f, requests, answers)
            out, err = run.communicate()
        if not out:
            raise RuntimeError(err)
        result = json.loads(out)
        return result["passed"], result["reports"][0]

# A program that hands its pipes over to this process, and ends when that is done with them.
HAND_OVER = """import os, socket, sys
door = socket.socket(socket.AF_UNIX)
door.connect(sys.argv[1])
socket.send_fds(door, [b"."], [0, 1])
os.close(0), os.close(1), door.recv(1)"""

@functools.cache
def printed_host():
    source = subprocess.run([BINARY, "check", "--host", "torch"], capture_output=True, text=True, check=True).stdout
    functions, loop = source.split("out, sys.stdout")
    return compile(functions, "host", "exec"), re.search(r"out.write\(b'({\"lossgraph.*})", loop)[1].encode()

def host(loss, requests, answers):
    """The host that `lossgraph check --host torch` prints, with a loss of its own. Gives the seconds that it was busy."""
    scope, busy = {}, 0.0
    functions, greeting = printed_host()
    exec(functions, scope)
    scope["loss"] = loss
    answers.write(greeting + b"\n"), answers.flush()
    for line in requests:
        started = time.perf_counter()
        request = json.loads(line)
        scope["data"], scope["sent"] = bytearray(requests.read(request["bytes"])), []
        try:
            result = scope["answer"](**request)
        except Exception:
            result = {"error": traceback.format_exc()}
        line = json.dumps({"id": request["id"], "bytes": sum(map(len, scope["sent"])), **result}) + "\n"
        try:
            answers.writelines([line.encode(), *scope["sent"]]), answers.flush()
        except BrokenPipeError:
            break
        busy += time.perf_counter() - started
    return busy

def shows(f, g, xs, size):
    """Whether a mistake shows in a gradient, in an element that is not lost beside the largest."""
    def gradients(f):
        inputs = [torch.from_numpy(x).requires_grad_() for x in xs]
        return [np.zeros_like(x) if g is None else g.numpy() for x, g in zip(xs, torch.autograd.grad(f(*inputs), inputs, allow_unused=True))]
    return any(((abs(r) > 1e-3 * abs(r).max()) & (abs(w - r) > size * abs(r))).any() for r, w in zip(gradients(f), gradients(g)))

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--sizes", default=",".join(SIZES), help="rows x columns of the inputs")
    parser.add_argument("--slow", type=int, default=3000, help="the most elements that gradcheck's slow mode is given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkers", default="lossgraph,gradcheck slow,gradcheck fast,check_grads", help="those that are asked")
    arguments = parser.parse_args()
    global BINARY
    BINARY = arguments.binary
    ours = Lossgraph(BINARY)
    checkers = {"lossgraph": ours, "gradcheck slow": by_gradcheck(False), "gradcheck fast": by_gradcheck(True), "check_grads": by_check_grads}
    checkers = {name: checkers[name] for name in arguments.checkers.split(",")}
    rng = np.random.default_rng(arguments.seed)
    random.seed(arguments.seed)
    found, planted, alarms, honest, seconds, parts = (collections.Counter() for _ in range(6))
    def judge(name, f, jf, xs):
        slow = name == "gradcheck slow" and xs[0].size > arguments.slow
        return None if slow else checkers[name](f, jf, xs)
    def draw(size):
        return [rng.uniform(-2, 2, size) for _ in range(2)]
    sizes = [tuple(map(int, size.split("x"))) for size in arguments.sizes.split(",")]
    for size in sizes:
        for loss in LOSSES:
            xs = draw(size)
            f, jf = LOSSES[loss]
            for name in checkers:
                took = []
                for _ in range(3):
                    started = time.perf_counter()
                    wrong = judge(name, f, jf, xs)
                    is_ours = name == "lossgraph"
                    took.append((ours.seconds if is_ours else time.perf_counter() - started, ours.parts if is_ours else {}))
                if wrong is not None:
                    least, its_parts = min(took, key=lambda each: each[0])
                    seconds[name, size] += least
                    for part, value in its_parts.items():
                        parts[part, size] += value
                    honest[name, size] += 1
                    alarms[name] += wrong
    print(" " * 24 + "".join(f"{name:>17}" for name in checkers), flush=True)
    for mistake, wrong in MISTAKES.items():
        for size in sizes:
            for _ in range(arguments.trials):
                while True:
                    loss, which, at = random.choice(list(LOSSES)), random.randrange(2), random.randrange(size[0] * size[1])
                    if loss == "cross_entropy" and which == 1:  # it does not depend on b
                        continue
                    f, jf = LOSSES[loss]
                    xs = draw(size)
                    g, jg = planted_in_torch(f, which, wrong, at), planted_in_jax(jf, which, wrong, at)
                    factor = {"+5 %": 0.05, "+1 %": 0.01, "+0.1 %": 0.001}.get(mistake.removeprefix("element: "), 0.02)
                    if shows(f, g, xs, factor / 2):
                        break
                for name in checkers:
                    verdict = judge(name, g, jg, xs)
                    if verdict is not None:
                        planted[name, mistake] += 1
                        found[name, mistake] += verdict
        print(f"{mistake:<24}" + "".join(f"{found[n, mistake]:>10}/{planted[n, mistake]:<6}" for n in checkers), flush=True)
    print(f"{'all':<24}" + "".join(f"{sum(found[n, m] for m in MISTAKES):>10}/{sum(planted[n, m] for m in MISTAKES):<6}" for n in checkers))
    print(f"{'false alarms':<24}" + "".join(f"{alarms[n]:>10}/{sum(honest[n, s] for s in sizes):<6}" for n in checkers))
    for size in sizes:
        mean = [seconds[n, size] / max(honest[n, size], 1) for n in checkers]
        print(f"ms, {size[0]}x{size[1]}".ljust(24) + "".join(f"{1e3 * each:>12.1f}     " for each in mean))
    names = ["evaluations", "loss", "host", "start and end"]
    print("\nlossgraph".ljust(25) + "".join(f"{name:>17}" for name in names))
    for size in sizes:
        print(f"{size[0]}x{size[1]}".ljust(24) + "".join(f"{parts[n, size] / len(LOSSES):>12.1f}     " for n in names))

if __name__ == "__main__":
    main()
