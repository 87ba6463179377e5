"""Cases: a model, inputs, and what onnxruntime answers; sets of them compiled together, run in one round, and judged."""

import argparse
import dataclasses
import pathlib
import shutil
import subprocess

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import contractions
import elementwise
import moves
from graph import Graph

onnxruntime.set_default_logger_severity(4)

# Norm of the difference over norm of the reference. What exceeds it must at least be no worse than 8 times what changes
# when every float that a node gives is scaled by 1 + 2e-7 or 1 - 2e-7: then the graph magnifies rounding.
TOLERANCE = 1e-5
SENSITIVITY = 8


@dataclasses.dataclass
class Case:
    name: str
    model: onnx.ModelProto
    inputs: dict  # name: array
    dims: dict = dataclasses.field(default_factory=dict)
    exact: set = dataclasses.field(default_factory=set)  # outputs that must agree bit for bit
    bounds: dict = dataclasses.field(default_factory=dict)  # output: how large its values may be
    discrete: set = dataclasses.field(default_factory=set)  # values that rounding does not touch, and must not
    wanted: dict = dataclasses.field(default_factory=dict)  # output: array


def random_case(seed, nodes=12):
    """A graph of about `nodes` nodes."""
    g = Graph(seed)
    table = elementwise.TABLE + moves.TABLE + contractions.TABLE
    weights = np.array([w for _, w in table], float)
    for _ in range(g.integer(1, 2)):
        g.input("f32", g.shape(g.choice((2, 2, 3, 4, 4))), grid=g.choice((None, None, 2)))
    target = g.integer(max(1, nodes - 4), nodes + 4)
    while len(g.nodes) < target:
        operator = table[int(g.random.choice(len(table), p=weights / weights.sum()))][0]
        operator(g)
    model, outputs, dims = g.finish()
    return Case(f"g{seed}", model, g.input_arrays, dims, {v.name for v in outputs if v.exact},
                {v.name: v.bound for v in outputs}, {v.name for v in g.values if v.exact})


def answer(model, inputs):
    """onnxruntime's outputs, without its optimizations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def refer(case):
    """Fills in what is wanted. False if onnxruntime has no finite answer: then the case says nothing."""
    try:
        case.wanted = answer(case.model, case.inputs)
    except Exception as error:  # the binding's own exception types are many
        case.why_not = str(error).splitlines()[0]
        return False
    case.why_not = "not finite"
    return all(np.isfinite(a).all() for a in case.wanted.values() if a.dtype == np.float32)


def all_values(model, inputs):
    """What every node computes, by name."""
    everything = onnx.ModelProto()
    everything.CopyFrom(model)
    del everything.graph.output[:]
    everything.graph.output.extend(helper.make_empty_tensor_value_info(name)
                                   for n in model.graph.node for name in n.output if name)
    return answer(everything, inputs)


def noisy(case, random):
    """The model with what its nodes give scaled by about 1, element by element, unless that has no rounding."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph

    def noise(shape):
        return np.asarray(1 + random.choice([-2e-7, 2e-7], shape), np.float32)

    values = all_values(case.model, case.inputs)
    nodes = [onnx.NodeProto.FromString(n.SerializeToString()) for n in graph.node]
    del graph.node[:]
    for node in nodes:
        if node.op_type == "Constant":
            graph.node.append(node)
            continue
        rounded = [n for n in node.output if n and values[n].dtype == np.float32 and n not in case.discrete]
        for i, name in enumerate(node.output):
            if name in rounded:
                node.output[i] = name + "/exact"
        graph.node.append(node)
        for name in rounded:
            graph.initializer.append(numpy_helper.from_array(noise(values[name].shape), name + "/noise"))
            graph.node.append(helper.make_node("Mul", [name + "/exact", name + "/noise"], [name]))
    return model


def sensitivity(case):
    """For each output the norm of the change when all values change by their last bit or two; the largest of five."""
    largest = dict.fromkeys(case.wanted, 0.0)
    for seed in range(5):
        for name, got in answer(noisy(case, np.random.default_rng(seed)), case.inputs).items():
            if got.dtype == np.float32:
                largest[name] = max(largest[name], norm(got - case.wanted[name]))
    return largest


def norm(array):
    return float(np.linalg.norm(np.asarray(array, np.float64).ravel()))


def judge(case, got):
    """What is wrong with the outputs `got`: texts, none if nothing is."""
    wrong, limits = [], None
    for name, want in case.wanted.items():
        have = got.get(name)
        if have is None or have.shape != want.shape or have.dtype != want.dtype:
            wrong.append(f"{name}: wanted {want.dtype}{list(want.shape)}, got "
                         f"{'nothing' if have is None else f'{have.dtype}{list(have.shape)}'}")
        elif want.dtype != np.float32 or name in case.exact:
            if not np.array_equal(have, want):
                wrong.append(f"{name}: {np.count_nonzero(have != want)} of {want.size} {want.dtype} differ, which are exact")
        else:
            with np.errstate(invalid="ignore"):
                difference = norm(have - want)
            floor = 1e-7 * min(case.bounds.get(name, 0.0), 64.0) * np.sqrt(want.size)
            if difference <= TOLERANCE * norm(want) + floor:
                continue
            limits = limits or sensitivity(case)
            if not difference <= SENSITIVITY * limits[name]:
                wrong.append(f"{name}: relative error {difference / max(norm(want), 1e-30):.2g}, allowed "
                             f"{max(TOLERANCE, SENSITIVITY * limits[name] / max(norm(want), 1e-30)):.2g}")
    return wrong


def same_bytes(a, b):
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes() for k in a)


class Compiler:
    """mtc and mtrt, and a folder for what goes between them."""

    def __init__(self, binaries, folder):
        self.binaries, self.folder = pathlib.Path(binaries), pathlib.Path(folder)
        shutil.rmtree(folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def call(self, program, *arguments):
        """"" or what went wrong, as one text."""
        command = [str(self.binaries / program), *map(str, arguments)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=900)
        except subprocess.TimeoutExpired:
            return f"{program} hangs"
        if done.returncode == 0:
            return ""
        return f"{program} exits with {done.returncode}: {done.stderr.strip()[:2000]}"

    def save(self, case):
        onnx.save(case.model, self.folder / f"{case.name}.onnx")
        for name, array in case.inputs.items():
            np.save(self.folder / f"{case.name}.{name}.npy", array)

    def compile(self, cases, bundle, flags=()):
        for case in cases:
            self.save(case)
        models = [f"{c.name}={self.folder / c.name}.onnx" for c in cases]
        dims = [f"--dim={c.name}/{d}={n}" for c in cases for d, n in c.dims.items()]
        return self.call("mtc", "compile", *models, *dims, "--cache-dir", "", "-q", "-o", self.folder / bundle, *flags)

    def run(self, cases, bundle, alone=False, more=()):
        """Runs a round (or one tenant), into a folder named as the bundle: an error, and outputs by case."""
        folder = self.folder / f"{bundle}.out"
        inputs = [f"--input={'' if alone else c.name + '/'}{n}=@{self.folder}/{c.name}.{n}.npy" for c in cases for n in c.inputs]
        error = self.call("mtrt", "run", self.folder / bundle, *(["--tenant", cases[0].name] if alone else []), *inputs,
                          "--output-dir", folder, "-q", *more)
        return error, {c.name: {p.stem: np.load(p) for p in (folder / c.name).glob("*.npy")} for c in cases}

    def answers(self, cases, bundle="set.mtb", flags=()):
        """{name: (error, outputs)}: of all in one bundle and one round; where that fails, of each alone."""
        error = self.compile(cases, bundle, flags)
        outputs = {}
        if not error:
            error, outputs = self.run(cases, bundle)
        if not error:
            return {c.name: ("", outputs[c.name]) for c in cases}
        if len(cases) == 1:
            return {cases[0].name: (error, {})}
        found = {}
        for case in cases:
            found.update(self.answers([case], f"{case.name}.mtb", flags))
        if not any(e for e, _ in found.values()):
            found[cases[0].name] = (f"only together with others: {error}", {})
        return found


def argument_parser(description):
    """Takes where the programs are and which folder may be emptied; tests add what else they take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mtc and mtrt")
    parser.add_argument("--work", required=True, help="folder for what goes between them; it is emptied first")
    return parser


def compiler_of_arguments(description):
    arguments = argument_parser(description).parse_args()
    return Compiler(arguments.bin, arguments.work)


def report(compiler, batch):
    """Prints how the cases' answers, optimized and not, differ from onnxruntime's; 1 if any does or there is none."""
    for case in batch:
        assert refer(case), f"{case.name}: {case.why_not}"
    failures = 0
    for flags in ([], ["-O0"]):
        for name, (error, got) in compiler.answers(batch, flags=flags).items():
            for wrong in [error] if error else judge(next(c for c in batch if c.name == name), got):
                failures += 1
                print(f"FAILED: {name} {' '.join(flags)}: {wrong}")
    print(f"{len(batch)} models, {failures} failures")
    return 1 if failures or not batch else 0
