#!/usr/bin/env python3
"""Times the peers (onnxruntime, openvino) on the model sets of ../sets/models.tsv, and writes reference outputs.

  peers.py [--table FILE] VERB ...  (another table with the columns of models.tsv)
  peers.py static MODELS OUT        bind the shapes of models.tsv; write OUT/NAME.onnx and OUT/NAME/{in,out}.<tensor>.npy
  peers.py solo   OUT [NAME...]     median ms of each model alone, on one thread and on all
  peers.py round  OUT [SET...]      median ms of one round (every tenant of the set once), per engine and mode; 'best' is the least of them

MODELS holds NAME.onnx. Tensor names have '/' and ':' replaced by '_' in file names. Seeded inputs; onnxruntime on one
thread with default options gives the references. Modes of a round: 'seq' runs one tenant after the other on all
threads, 'par' gives every worker thread one session thread and the longest tenant first, 'proc' the same with a
process per core. 'nospin' switches off onnxruntime's
spinning, which costs a set of sessions up to 3x. Run on an otherwise idle machine.
"""
import csv, json, multiprocessing, os, queue, sys, threading, time
from pathlib import Path
import numpy as np

HERE = Path(__file__).resolve().parent
TABLE = HERE.parent / "sets" / "models.tsv"
if sys.argv[1:2] == ["--table"]:
    TABLE = Path(sys.argv[2])
    del sys.argv[1:3]
ROWS = list(csv.DictReader(open(TABLE), delimiter="\t"))
# TENSOR=DIMS, or TENSOR=DIMS@LOW..HIGH where values come from [LOW, HIGH); no dims make a scalar.
INPUTS = {r["name"]: dict(s.rsplit("=", 1) for s in r["shapes"].split()) for r in ROWS if r["shapes"]}
SHAPES = {name: {k: [int(d) for d in v.split("@")[0].split("x") if d] for k, v in inputs.items()}
          for name, inputs in INPUTS.items()}
CORES = os.cpu_count()


def file_name(tensor):
    return tensor.replace("/", "_").replace(":", "_")


def span(model, tensor):
    """The range of a tensor's values, or None."""
    _, _, limits = INPUTS.get(model, {}).get(tensor, "").partition("@")
    return tuple(float(v) for v in limits.split("..")) if limits else None


def sample(name, elem_type, shape, rng, limits=None):
    if limits and elem_type == 1:
        return rng.uniform(*limits, shape).astype(np.float32)
    if limits:
        return np.array(rng.integers(int(limits[0]), int(limits[1]), shape), {6: np.int32, 7: np.int64}[elem_type])
    if elem_type == 1:
        return rng.standard_normal(shape).astype(np.float32)
    if elem_type == 9:
        return np.ones(shape, bool)
    if elem_type == 6:
        return rng.integers(0, 256, shape).astype(np.int32)
    if "mask" in name:
        return np.ones(shape, np.int64)
    if "type" in name:
        return np.zeros(shape, np.int64)
    return rng.integers(1, 60 if name in ("src", "prefix") else 1000, shape)


def ort_session(path, threads, spin=True):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    if not spin:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options)


def static(models, out):
    import onnx
    for name, shapes in SHAPES.items():
        model = onnx.load(Path(models) / f"{name}.onnx")
        constants = {i.name for i in model.graph.initializer}
        inputs = [i for i in model.graph.input if i.name not in constants]
        for i in inputs:
            dims = i.type.tensor_type.shape
            del dims.dim[:]
            for d in shapes[i.name]:
                dims.dim.add().dim_value = d
        folder = Path(out) / name
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(model, Path(out) / f"{name}.onnx")
        rng = np.random.default_rng(7)
        feed = {i.name: sample(i.name, i.type.tensor_type.elem_type, shapes[i.name], rng, span(name, i.name))
                for i in inputs}
        try:
            session = ort_session(Path(out) / f"{name}.onnx", 1)
        except Exception:  # branches for other sample rates do not accept these shapes
            onnx.save(onnx.load(Path(models) / f"{name}.onnx"), Path(out) / f"{name}.onnx")
            session = ort_session(Path(out) / f"{name}.onnx", 1)
        results = session.run(None, feed)
        for k, v in feed.items():
            np.save(folder / f"in.{file_name(k)}.npy", v)
        for o, v in zip(session.get_outputs(), results):
            np.save(folder / f"out.{file_name(o.name)}.npy", v)
        json.dump({"inputs": list(feed), "outputs": [o.name for o in session.get_outputs()]}, open(folder / "io.json", "w"))
        print(name, [list(v.shape) for v in results])


def runner(engine, out, name, threads, spin=True):
    io = json.load(open(Path(out) / name / "io.json"))
    feed = {k: np.load(Path(out) / name / f"in.{file_name(k)}.npy") for k in io["inputs"]}
    if engine == "onnxruntime":
        session = ort_session(Path(out) / f"{name}.onnx", threads, spin)
        return lambda: session.run(None, feed)
    import openvino
    compiled = openvino.Core().compile_model(str(Path(out) / f"{name}.onnx"), "CPU", {
        "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32",
        # Else activations before 8-bit weights are rounded to 8 bits, too, whatever the hint says: minilm_l6_int8 then
        # takes 16.6 instead of 32.0 ms on one core, with an error of 9.5e-3 instead of 5e-7 (measured on AMD EPYC Zen 4).
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0})
    request = compiled.create_infer_request()
    return lambda: request.infer(feed)


def median_ms(f, budget=1.5):
    for _ in range(3):
        f()
    times, end = [], time.time() + budget
    while time.time() < end or len(times) < 7:
        t = time.perf_counter()
        f()
        times.append(time.perf_counter() - t)
    return float(np.median(times) * 1e3)


def solo(out, names):
    result = {}
    for name in names or SHAPES:
        result[name] = {f"{e}_{t}": median_ms(runner(e, out, name, t))
                        for e in ("onnxruntime", "openvino") for t in sorted({1, CORES})}
        print(f"{name:18s}", {k: round(v, 2) for k, v in result[name].items()}, flush=True)
    return result


def process_worker(core, engine, out, names, todo, done):
    os.sched_setaffinity(0, {core})
    tasks = {n: runner(engine, out, n, 1) for n in names}
    for t in tasks.values():
        t()
    done.put(None)
    while (name := todo.get()) is not None:
        tasks[name]()
        done.put(None)


class Processes:
    """A process per core, each with every tenant of the set loaded on one thread; tasks are taken longest first."""

    def __init__(self, engine, out, names):
        context = multiprocessing.get_context("spawn")
        self.todo, self.done = context.Queue(), context.Queue()
        self.all = [context.Process(target=process_worker, args=(c, engine, out, names, self.todo, self.done), daemon=True)
                    for c in sorted(os.sched_getaffinity(0))]
        for p in self.all:
            p.start()
        for _ in self.all:
            self.done.get()

    def round(self, names):
        for n in names:
            self.todo.put(n)
        for _ in names:
            self.done.get()

    def stop(self):
        for _ in self.all:
            self.todo.put(None)
        for p in self.all:
            p.join()


class Workers:
    def __init__(self, n):
        self.todo, self.done = queue.SimpleQueue(), queue.SimpleQueue()
        for _ in range(n):
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self):
        while True:
            self.todo.get()()
            self.done.put(None)

    def round(self, tasks):
        for t in tasks:
            self.todo.put(t)
        for _ in tasks:
            self.done.get()


def merge(file, result):
    old = json.load(open(file)) if file.exists() else {}
    json.dump({**old, **result}, open(file, "w"), indent=1)


def rounds(out, sets):
    workers, result = Workers(CORES), {}
    for s in sets or sorted({r["set"] for r in ROWS if r["set"][0] == "S" and r["set"][1].isdigit()}):
        names = [r["name"] for r in ROWS if r["set"] == s]
        result[s] = {}
        for engine, spin in (("onnxruntime", True), ("onnxruntime", False), ("openvino", True)):
            label = engine + ("" if spin else "_nospin")
            tasks = [runner(engine, out, n, CORES, spin) for n in names]
            result[s][label + "_seq"] = median_ms(lambda: [t() for t in tasks], 2.5)
            del tasks
            tasks = [runner(engine, out, n, 1, spin) for n in names]
            cost = [median_ms(t, 0.3) for t in tasks]
            longest_first = sorted(range(len(names)), key=lambda i: -cost[i])
            result[s][label + "_par"] = median_ms(lambda: workers.round([tasks[i] for i in longest_first]), 2.5)
            del tasks
            if spin:
                processes = Processes(engine, out, names)
                result[s][label + "_proc"] = median_ms(lambda: processes.round([names[i] for i in longest_first]), 2.5)
                processes.stop()
        result[s]["best"] = min(result[s].values())
        print(s, {k: round(v, 1) for k, v in result[s].items()}, flush=True)
    return result


if __name__ == "__main__":
    verb, *args = sys.argv[1:] or ["help"]
    if verb == "static":
        static(*args)
    elif verb == "solo":
        merge(Path(args[0]) / "solo.json", solo(args[0], args[1:]))
    elif verb == "round":
        merge(Path(args[0]) / "round.json", rounds(args[0], args[1:]))
    else:
        sys.exit(__doc__)
