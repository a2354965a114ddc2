#!/usr/bin/env python3
"""Cases of PyTorch's functions, made from the tables that PyTorch tests itself with.

    python tests/peers/opinfo.py OUT [PART_OF_A_NAME ...]

Every entry of `op_db` (operators) and of `module_db` (layers and losses) of an installed torch gets a
file in OUT, in the format of tests/golden/FORMAT.md, kind "op": inputs, options, outputs, and in f64
the gradients and a Hessian-vector product along random directions. OUT/entries.json lists all entries
with the reason why one has no cases. Nothing of torch is kept: the cases are made anew each time, by
`cargo test --workspace --test opinfo -- --ignored`, which also compares them.

Without torch it says so, and ends with status 3.
"""

import inspect
import json
import math
import sys
import warnings
from pathlib import Path

try:
    import torch
    from torch.fx.operator_schemas import get_signature_for_torch_op
    from torch.nn.utils.stateless import functional_call
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db
except ImportError as error:
    print(f"opinfo did not run: {error}")
    sys.exit(3)

# Of each kind of samples of an entry so many cases, spread over all of them, each with at most so many
# numbers in an input; of an entry that has only larger ones, a few of these.
CASES, NUMBERS = 24, 2500
FEW, MANY = 4, 20000


class Unsuitable(Exception):
    """A sample that the format, or a tape of f64, has no words for."""


def number(x):
    if math.isnan(x):
        return "NaN"
    return float(x) if math.isfinite(x) else ("Infinity" if x > 0 else "-Infinity")


def tensor(t):
    t = t.detach().resolve_conj().resolve_neg()
    if t._is_zerotensor():
        t = torch.zeros(t.shape, dtype=t.dtype)
    if t.layout != torch.strided:
        raise Unsuitable("sparse")
    if t.numel() > MANY:
        raise Unsuitable("large")
    if t.dtype == torch.float64:
        return {"shape": list(t.shape), "data": [number(x) for x in t.reshape(-1).tolist()]}
    if t.dtype in (torch.bool, torch.int64, torch.int32, torch.uint8):
        return {"shape": list(t.shape), "ints": [int(x) for x in t.reshape(-1).tolist()]}
    raise Unsuitable(str(t.dtype))


def option(value):
    """A value that is no tensor, as JSON."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, (list, tuple)):
        return [option(each) for each in value]
    if isinstance(value, slice):
        return {"slice": [option(value.start), option(value.stop), option(value.step)]}
    if isinstance(value, (torch.dtype, torch.memory_format)) or value is Ellipsis:
        return str(value)
    raise Unsuitable(type(value).__name__)


def fits(kind, value):
    """Whether an argument may have the type that a schema names."""
    kind, optional = kind.removesuffix("]").removeprefix("Optional["), kind.startswith("Optional")
    if value is None:
        return optional
    if isinstance(value, torch.Tensor):
        return kind == "Tensor"
    if isinstance(value, (list, tuple)):
        return kind.startswith("List") or kind.endswith("[]")
    if kind.startswith("List[int"):
        return isinstance(value, int)  # The same number for each axis.
    if kind.startswith("List") or kind == "Tensor" or kind.endswith("[]"):
        return False
    if isinstance(value, bool):
        return kind in ("bool", "number")
    if isinstance(value, str):
        return kind == "str" or kind == "Device"
    if isinstance(value, float):
        return kind in ("number", "float")
    return True


NO_CODE = (lambda: None).__code__


def named(op, args, kwargs):
    """The arguments by PyTorch's names; those of a function that hides them are input, arg1, arg2…"""
    if "if_false" in getattr(op, "__code__", NO_CODE).co_freevars:  # One of two, by a flag.
        op = inspect.getclosurevars(op).nonlocals["if_false"]
    try:
        signatures, schemas = get_signature_for_torch_op(op, return_schemas=True)
    except Exception:
        signatures, schemas = None, None
    for signature, schema in zip(signatures or (), schemas or ()):
        try:
            bound = signature.bind(*args, **kwargs).arguments
        except TypeError:
            continue
        kinds = {each.name: str(each.type) for each in schema.arguments}
        kinds["input"] = kinds.get("self", "Tensor")
        if all(fits(kinds.get(name, "Tensor"), value) for name, value in bound.items()):
            return dict(bound)
    try:
        signature = inspect.signature(op)
        hidden = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if all(each.kind not in hidden for each in signature.parameters.values()):
            bound = dict(signature.bind(*args, **kwargs).arguments)
            first = next(iter(bound))
            if isinstance(bound[first], torch.Tensor) and first in ("a", "x", "self", "t", "tensor"):
                bound = {"input" if name == first else name: bound[name] for name in bound}
            return bound
    except (TypeError, ValueError):
        pass
    by_place = {"input" if i == 0 else f"arg{i}": value for i, value in enumerate(args)}
    return {**by_place, **kwargs}


def described(arguments):
    """Tensors and options of arguments: those of a list of tensors are NAME0, NAME1…"""
    tensors, options = {}, {}
    for name, value in arguments.items():
        if isinstance(value, torch.Tensor):
            tensors[name] = value
        elif isinstance(value, (list, tuple)) and any(isinstance(v, torch.Tensor) for v in value):
            stem = "input" if name in ("tensors", "input", "self") else name
            for i, each in enumerate(value):
                if isinstance(each, torch.Tensor):
                    tensors[f"{stem}{i}"] = each
                else:
                    options[f"{stem}{i}"] = option(each)
        elif not (name in ("device", "requires_grad", "pin_memory", "layout")):
            options[name] = option(value)
    return tensors, options


def outputs_of(result):
    """The results by name: `output` and `indices` of a pair of values and indices."""
    if isinstance(result, torch.Tensor):
        return {"output": result}
    if isinstance(result, dict):
        return result
    if not isinstance(result, (tuple, list)):
        raise Unsuitable(f"gives {type(result).__name__}")
    flat = []
    for each in result:
        flat.extend(each if isinstance(each, (tuple, list)) else [each])
    if not flat or not all(isinstance(each, torch.Tensor) for each in flat):
        raise Unsuitable("gives other things than tensors")
    names = [f"output{i}" for i in range(len(flat))]
    fields = getattr(type(result), "n_sequence_fields", None) and [
        name for name in dir(result) if isinstance(getattr(result, name), torch.Tensor)
    ]
    if fields and sorted(fields) == ["indices", "values"]:
        names = ["output", "indices"]
    return dict(zip(names, flat))


def replaced(value, leaves):
    """The same arguments with leaves in the place of tensors."""
    if isinstance(value, torch.Tensor):
        return leaves.get(id(value), value)
    if isinstance(value, (list, tuple)):
        return type(value)(replaced(each, leaves) for each in value)
    if isinstance(value, dict):
        return {name: replaced(each, leaves) for name, each in value.items()}
    return value


def case(name, call, arguments, more=None):
    """A case: `call(leaves)` computes with leaves in the place of the tensors in `arguments`."""
    if arguments.get("dropout_p"):
        raise Unsuitable("random")
    tensors, options = described(arguments)
    options.update(more or {})
    record = {"name": name, "options": options, "inputs": {k: tensor(t) for k, t in tensors.items()}}
    leaves, by_name = {}, {}
    for key, t in tensors.items():
        leaf = leaves.get(id(t))
        if leaf is None:
            leaf = t.detach().clone().requires_grad_(t.requires_grad)
            leaves[id(t)] = leaf
        by_name[key] = leaf
    random = torch.Generator().manual_seed(0)
    results = outputs_of(call(leaves))
    if len(results) == 1 and "output" in results:
        record["output"] = tensor(results["output"])
    else:
        record["outputs"] = {key: tensor(t) for key, t in results.items()}
    slopes = {k: t for k, t in results.items() if t.dtype == torch.float64 and t.requires_grad}
    xs = {k: t for k, t in by_name.items() if t.requires_grad}
    if len({id(t) for t in xs.values()}) < len(xs) or not slopes or not xs:
        return record
    draw = lambda t: torch.randn(t.shape, generator=random, dtype=torch.float64)
    cotangents = {k: draw(t) for k, t in slopes.items()}
    objective = sum((slopes[k] * cotangents[k]).sum() for k in slopes)
    try:
        grads = torch.autograd.grad(objective, list(xs.values()), create_graph=True, allow_unused=True)
    except (RuntimeError, NotImplementedError) as error:
        record["note"] = f"no gradient: {said(error)}"
        return record
    grads = {k: g for k, g in zip(xs, grads) if g is not None}
    if not grads:
        return record
    if "output" in record:
        record["cotangent"] = tensor(cotangents["output"])
    else:
        record["cotangents"] = {k: tensor(t) for k, t in cotangents.items()}
    record["grads"] = {k: tensor(g) for k, g in grads.items()}
    vs = {k: draw(xs[k]) for k in grads}
    along = sum((grads[k] * vs[k]).sum() for k in grads)
    zeros = {k: torch.zeros_like(xs[k]) for k in grads}
    if along.requires_grad:
        try:
            seconds = torch.autograd.grad(along, [xs[k] for k in grads], allow_unused=True)
        except (RuntimeError, NotImplementedError):
            return record  # the library has no double backward
        zeros = {k: zeros[k] if s is None else s for k, s in zip(grads, seconds)}
    record["hvp"] = {
        "v": {k: tensor(v) for k, v in vs.items()},
        "out": {k: tensor(s) for k, s in zeros.items()},
    }
    return record


def chosen(samples, arguments_of):
    """Some of the samples, from the first to the last, and no large ones if there are others."""
    size = lambda sample: largest(arguments_of(sample))
    small = [sample for sample in samples if size(sample) <= NUMBERS]
    count = CASES if small else FEW
    small = small or [sample for sample in samples if size(sample) <= MANY]
    return small[:: max(1, math.ceil(len(small) / count))]


def said(error):
    return f"{type(error).__name__}: {str(error)[:90].splitlines()[0]}"


def suitable(makers):
    """The cases of those makers that have one, and why the others have none."""
    cases, why = [], {}
    for make in makers:
        try:
            cases.append(make())
        except Unsuitable as reason:
            why[str(reason)] = why.get(str(reason), 0) + 1
        except Exception as error:  # An entry that needs a GPU, a library, or what autograd lacks.
            why[said(error)] = why.get(said(error), 0) + 1
    return cases, why


def largest(flat):
    """The number of elements of the largest tensor among arguments and lists of them."""
    while any(isinstance(each, (list, tuple, dict)) for each in flat):
        flat = [x for e in flat for x in inside(e)]
    return max((t.numel() for t in flat if isinstance(t, torch.Tensor)), default=0)


def inside(value):
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def slope_of_all(samples):
    for sample in samples:
        for t in (sample.input, *sample.args, *sample.kwargs.values()):
            if isinstance(t, torch.Tensor) and t.dtype == torch.float64 and t.is_leaf:
                t.requires_grad_(True)


def operator(entry):
    name = entry.name + ("." + entry.variant_test_name if entry.variant_test_name else "")
    if not entry.supports_dtype(torch.float64, "cpu"):
        dtype = torch.int64 if entry.supports_dtype(torch.int64, "cpu") else None
        if dtype is None:
            return name, [], {"neither f64 nor i64": 1}
    else:
        dtype = torch.float64
    makers = []
    for kind, source in (("sample", entry.sample_inputs), ("reference", entry.reference_inputs)):
        if kind == "reference" and entry.reference_inputs_func is None:
            continue
        try:
            slopes = entry.supports_autograd and dtype == torch.float64
            try:
                samples = list(source("cpu", dtype, requires_grad=slopes))
            except ValueError:  # It makes integers with slopes; so all floats have some.
                samples = list(source("cpu", dtype, requires_grad=False))
                slope_of_all(samples)
        except Exception as error:  # As in `suitable`.
            return name, [], {said(error): 1}
        samples = [(s.input, s.args, s.kwargs) for s in samples]
        for i, (first, rest, kwargs) in enumerate(chosen(samples, list)):
            args = (first, *rest)

            def make(i=i, kind=kind, args=args, kwargs=kwargs):
                call = lambda leaves: entry.op(*replaced(args, leaves), **replaced(kwargs, leaves))
                return case(f"{kind}{i}", call, named(entry.op, args, kwargs))

            makers.append(make)
    return (name, *suitable(makers))


def layer(entry):
    makers = []
    try:
        samples = entry.module_inputs_func(
            entry, device="cpu", dtype=torch.float64, requires_grad=True, training=True
        )
        samples = list(samples)
    except Exception as error:  # As in `suitable`.
        return entry.name, [], {said(error): 1}
    signature = inspect.signature(entry.module_cls.__init__)
    given_to = lambda s: [s.forward_input.args, s.forward_input.kwargs] if s.forward_input else []
    for i, sample in enumerate(chosen(samples, given_to)):

        def make(i=i, sample=sample):
            built, given = sample.constructor_input, sample.forward_input
            if given is None:
                raise Unsuitable("nothing to call it with")
            torch.manual_seed(i)
            module = entry.module_cls(*built.args, **built.kwargs).double()
            made = dict(signature.bind(None, *built.args, **built.kwargs).arguments)
            made = {k: v for k, v in list(made.items())[1:] if k not in ("device", "dtype")}
            parts = inspect.signature(module.forward).bind(*given.args, **given.kwargs).arguments
            held = {**dict(module.named_parameters()), **dict(module.named_buffers())}
            # What the constructor was given as a tensor is a buffer of the same name.
            made = {k: v for k, v in made.items() if k not in held}
            made = {f"{k}_option" if k in parts else k: v for k, v in made.items()}
            arguments = {**made, **held, **parts}

            def call(leaves):
                state = {k: replaced(v, leaves) for k, v in held.items()}
                args, kwargs = replaced(given.args, leaves), replaced(given.kwargs, leaves)
                return functional_call(module, state, args, kwargs)

            return case(f"{sample.desc or 'module'} {i}".strip(), call, arguments)

        makers.append(make)
    return (entry.name, *suitable(makers))


def main(out, wanted):
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.json"):
        old.unlink()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    entries = {}
    for make, table in ((operator, op_db), (layer, module_db)):
        for entry in table:
            if wanted and not any(part in entry.name for part in wanted):
                continue
            torch.manual_seed(0)
            name, cases, why = make(entry)
            entries[name] = {"cases": len(cases), "left_out": why}
            if cases:
                lines = ",\n".join(json.dumps(each, allow_nan=False) for each in cases)
                head = json.dumps({"kind": "op", "name": name, "source": f"torch {torch.__version__}"})
                text = f'{head[:-1]}, "cases": [\n{lines}\n]}}\n'
                (out / f"{name.replace('/', '_')}.json").write_text(text)
    (out / "entries.json").write_text(json.dumps(entries, indent=1))
    count = sum(each["cases"] for each in entries.values())
    print(f"torch {torch.__version__}: {count} cases of {len(entries)} entries")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
