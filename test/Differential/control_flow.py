#!/usr/bin/env python3
"""Branches and loops that only run time decides, against onnxruntime, bit for bit the same alone, in a round and jittered.

    control_flow.py --bin build/bin --work DIR [--cuda build/unittests/libcuda-fake.so]

Each model is run with several inputs, so that other branches are taken and other numbers of iterations run. With --cuda on a
GPU that is none (test/FakeDriver), in all ways to share its SMs and in several orders of everything.
"""

import os
import sys

import numpy as np
import onnx
from onnx import parser as onnx_parser

import cases

F, I, B = np.float32, np.int64, np.bool_


def model(text):
    return onnx_parser.parse_model('<ir_version: 10, opset_import: ["" : 21]>\n' + text)


def floats(seed, *shape):
    return np.asarray(np.random.default_rng(seed).integers(-16, 17, shape) / 8, F)


# name: (model, inputs of each run). Multiples of 1/8 that stay small: sums and products of them are exact.
MODELS = {
    # A condition that the graph computes; weights of the graph around; results that are an input, a weight, a sum.
    "branch": ("""
        g (float[4, 3] x, float limit) => (float[4, 3] y, float[3] z)
        <float[3] w = {1, 2, 3}, int64[1] axes = {0}> {
          s = ReduceSum <keepdims = 0, noop_with_empty_axes = 0> (x)
          more = Greater(s, limit)
          y, z = If (more) <
            then_branch = a () => (float[4, 3] a1, float[3] a2) { a1 = Add(x, w)  r = ReduceMax <keepdims = 0> (x, axes)  a2 = Mul(r, w) },
            else_branch = b () => (float[4, 3] b1, float[3] b2) { b1 = Identity(x)  b2 = Identity(w) }>
        }""", [{"x": floats(1, 4, 3), "limit": F(l)} for l in (-100, 100)]),
    # Branches in branches: four ways, two of them with an own initializer.
    "nested": ("""
        g (float[5] x, bool p, bool q) => (float[5] y) {
          y = If (p) <
            then_branch = a () => (float[5] a1) {
              a0 = Abs(x)
              a1 = If (q) <then_branch = aa () => (float[5] aa1) <float[1] two = {2}> { aa1 = Mul(a0, two) },
                           else_branch = ab () => (float[5] ab1) { ab1 = Neg(a0) }> },
            else_branch = b () => (float[5] b1) {
              b1 = If (q) <then_branch = ba () => (float[5] ba1) <float[1] one = {1}> { ba1 = Add(x, one) },
                           else_branch = bb () => (float[5] bb1) { bb1 = Relu(x) }> }>
        }""", [{"x": floats(2, 5), "p": B(p), "q": B(q)} for p in (0, 1) for q in (0, 1)]),
    # A number of iterations that the graph computes, none among them; the state swaps places; a matrix of the graph around.
    "count": ("""
        g (int64[2] n, float[3, 3] a, float[3, 3] b) => (float[3, 3] c, float[3, 3] d, int64 k)
        <float[3, 3] m = {0, 1, 0, 0, 0, 1, 1, 0, 0}, int64 zero = {0}> {
          trips = ReduceSum <keepdims = 0> (n)
          c, d, k = Loop (trips, , a, b, zero) <
            body = l (int64 i, bool go, float[3, 3] s, float[3, 3] t, int64 j) => (bool go2, float[3, 3] u, float[3, 3] v, int64 j2) {
              go2 = Identity(go)
              v = MatMul(s, m)
              u = Identity(t)
              j2 = Add(j, i) }>
        }""", [{"n": np.array([n, 2], I), "a": floats(3, 3, 3), "b": floats(4, 3, 3)} for n in (-2, -5, -1, 0, 5, 30)]),
    # Ends when a value says so, or after at most n iterations, or before the first.
    "early": ("""
        g (int64 n, bool first, float[2] x, float limit) => (float[2] y, int64 ran)
        <int64 zero = {0}, int64 one = {1}> {
          y, ran = Loop (n, first, x, zero) <
            body = l (int64 i, bool go, float[2] s, int64 j) => (bool more, float[2] t, int64 k) {
              t = Add(s, s)
              sum = ReduceSum <keepdims = 0> (t)
              more = Less(sum, limit)
              k = Add(j, one) }>
        }""", [{"n": I(n), "first": B(f), "x": np.array([1, 2], F), "limit": F(l)}
               for n, f, l in ((100, 1, 1000), (5, 1, 1000), (0, 1, 1000), (9, 0, 1000), (2**62, 1, 1e20), (-3, 1, 9))]),
    # A loop that only its condition ends, in it a branch, in it a loop: the steps of Collatz, and how many of them were odd.
    "collatz": ("""
        g (int64 start) => (int64 steps, int64 odd)
        <int64 zero = {0}, int64 one = {1}, int64 two = {2}, int64 three = {3}, bool yes = {1}> {
          last, steps, odd = Loop (, yes, start, zero, zero) <
            body = l (int64 i, bool go, int64 v, int64 n, int64 o) => (bool more, int64 w, int64 n2, int64 o2) {
              r = Mod(v, two)
              isodd = Equal(r, one)
              w, o2 = If (isodd) <
                then_branch = a () => (int64 w1, int64 p1) {
                  w0 = Loop (three, yes, zero) <body = t (int64 ii, bool g1, int64 s) => (bool g2, int64 s2) {
                    g2 = Identity(g1)  s2 = Add(s, v) }>
                  w1 = Add(w0, one)
                  p1 = Add(o, one) },
                else_branch = b () => (int64 w2, int64 p2) { w2 = Div(v, two)  p2 = Identity(o) }>
              n2 = Add(n, one)
              more = Greater(w, one) }>
        }""", [{"start": I(n)} for n in (2, 6, 7, 27, 97)]),
    # As many iterations as an element of a list says, of lists in a list: 60 times nothing, one, two ...
    "triangle": ("""
        g (int64 n, float[4] x) => (float[4] y)
        <float[4] step = {0.125, 0.25, 0.5, 1}, bool yes = {1}> {
          y = Loop (n, yes, x) <body = l (int64 i, bool go, float[4] s) => (bool go2, float[4] s2) {
            go2 = Identity(yes)
            s2 = Loop (i, yes, s) <body = m (int64 j, bool h, float[4] t) => (bool h2, float[4] t2) {
              h2 = Identity(h)
              t2 = Add(t, step) }> }>
        }""", [{"n": I(n), "x": floats(5, 4)} for n in (0, 1, 2, 25)]),
    # Too long to unroll: a scan with state, backwards and along the second axis, each step decided by its own row.
    "scan": ("""
        g (float[2] s0, float[2, 3000] x, float[3000, 2] w) => (float[2] s, float[2, 3000] sums, float[3000, 2] seen)
        <float zero = {0}, float half = {0.5}> {
          s, sums, seen = Scan <num_scan_inputs = 2, scan_input_axes = [1, 0], scan_input_directions = [1, 0],
              scan_output_axes = [1, 0], scan_output_directions = [0, 1],
              body = l (float[2] a, float[2] b, float[2] c) => (float[2] d, float[2] e, float[2] f) {
                t = ReduceSum <keepdims = 0> (c)
                up = Greater(t, zero)
                d = If (up) <then_branch = p () => (float[2] d1) { d1 = Add(a, b) },
                             else_branch = q () => (float[2] d2) { d2 = Mul(a, half) }>
                e = Identity(d)
                f = Mul(b, c) }> (s0, x, w)
        }""", [{"s0": floats(6, 2), "x": floats(7, 2, 3000), "w": floats(8, 3000, 2)}]),
    # A loop too long to unroll that stacks what it computes, and reads a row of a weight in each iteration.
    "stack": ("""
        g (float[8] x) => (float[8] last, float[2500, 8] all, int64[2500] numbers)
        <int64 n = {2500}, bool yes = {1}, int64 three = {3}, float[3, 8] table = {
            1, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 2, 0, 0, 0.5, 0, 0, 0, 0, 0, 0, -0.5}> {
          last, all, numbers = Loop (n, yes, x) <body = l (int64 i, bool go, float[8] s) => (bool go2, float[8] s2, float[8] o, int64 k) {
            go2 = Identity(go)
            r = Mod(i, three)
            row = Gather(table, r)
            s2 = Add(s, row)
            o = Sub(s2, x)
            k = Mul(i, r) }>
        }""", [{"x": floats(9, 8)}]),
    # In each iteration another number of values is left: how many, until there are none.
    "shrink": ("""
        g (float[3, 4] x) => (float[3, 4] y, int64[1] seen)
        <int64[1] none = {0}, float zero = {0}, float half = {0.5}, bool yes = {1}> {
          y, seen = Loop (, yes, x, none) <
            body = l (int64 i, bool go, float[3, 4] s, int64[1] k) => (bool more, float[3, 4] t, int64[1] k2) {
              places = NonZero(s)
              left = Shape <start = 1> (places)
              k2 = Add(k, left)
              large = Greater(s, half)
              less = Sub(s, half)
              t = Where(large, less, zero)
              some = Greater(left, none)
              more = Squeeze(some) }>
        }""", [{"x": x} for x in (floats(11, 3, 4), floats(12, 3, 4), np.zeros([3, 4], F))]),
    # A branch in the middle of ordinary layers, large enough for several cores; outputs of the loop feed what follows.
    "layers": ("""
        g (float[1, 4, 32, 32] x, int64 n) => (float[1, 8, 32, 32] y) <bool yes = {1}, float quarter = {0.25}> {
          w1 = ConstantOfShape <value = float[1] {0.125}> (s1)
          w2 = ConstantOfShape <value = float[1] {0.0625}> (s2)
          a = Conv <pads = [1, 1, 1, 1]> (x, w1)
          b = Loop (n, yes, a) <body = l (int64 i, bool go, float[1, 8, 32, 32] s) => (bool go2, float[1, 8, 32, 32] t) {
            go2 = Identity(go)
            c = Conv <pads = [1, 1, 1, 1]> (s, w2)
            d = Relu(c)
            t = Add(d, a) }>
          y = Mul(b, quarter)
        }""".replace("<bool yes", "<int64[4] s1 = {8, 4, 3, 3}, int64[4] s2 = {8, 8, 3, 3}, bool yes"),
        [{"x": floats(10, 1, 4, 32, 32), "n": I(n)} for n in (0, 1, 3)]),
}


# Ways to run on a GPU; the first is compared with onnxruntime, the others with it bit for bit.
WAYS = ([], ["--cuda-sharing", "graphs"], ["--cuda-sharing", "grids"], ["--node-by-node"])


def main():
    parser = cases.argument_parser(__doc__)
    parser.add_argument("--cuda", metavar="DRIVER", help="a CUDA driver")
    arguments = parser.parse_args()
    compiler = cases.Compiler(arguments.bin, arguments.work)
    failures, runs = [], 0

    def require(condition, text):
        if not condition:
            failures.append(text)
            print("FAILED:", text, flush=True)

    tenants = {name: model(text) for name, (text, _) in MODELS.items()}

    def case(name, run):
        exact = {o.name for o in tenants[name].graph.output} if name != "layers" else set()
        inputs = MODELS[name][1][run % len(MODELS[name][1])]
        return cases.Case(name, tenants[name], {n: np.asarray(a) for n, a in inputs.items()}, exact=exact)

    if arguments.cuda:
        error = compiler.compile([case(name, 0) for name in tenants], "set.mtb", ["--target", "cuda:sm_90a"])
        require(not error, error)
        kernels = str(compiler.folder / "kernels")
        error = compiler.call("mtc-emulate-bundle", compiler.folder / "set.mtb", kernels)
        require(not error, error)
        os.environ["MTC_FAKE_CUDA_KERNELS"] = kernels
        device = ["--device", "cuda", "--cuda-driver", arguments.cuda]
        for run in range(max(len(inputs) for _, inputs in MODELS.values())):
            batch = [case(name, run) for name in tenants]
            for c in batch:
                assert cases.refer(c), f"{c.name}: {c.why_not}"
                compiler.save(c)
            first = None
            # The long ones once in each way: a call of the fake costs as much as a small kernel.
            for way in WAYS if run == 0 else WAYS[:1]:
                os.environ["MTC_FAKE_CUDA_SEED"] = str(run + 1)
                os.environ["MTC_FAKE_CUDA_SHARED"] = "1" if "grids" in way else ""
                error, got = compiler.run(batch, "set.mtb", more=device + way)
                require(not error, f"{way}: {error}")
                first = first or got
                for c in batch:
                    runs += 1
                    where = f"{c.name} {' '.join(way)} run {run}:"
                    for wrong in cases.judge(c, got[c.name]):
                        require(False, f"{where} {wrong}")
                    require(cases.same_bytes(first[c.name], got[c.name]), f"{where} another way gives other bits")
            for c in batch:
                if run >= len(MODELS[c.name][1]):
                    continue
                error, alone = compiler.run([c], "set.mtb", alone=True, more=device)
                require(not error and cases.same_bytes(first[c.name], alone[c.name]), f"{c.name} run {run}: alone it differs {error}")
        print(f"{len(tenants)} models, {runs} runs on a GPU that is none, {len(failures)} failures")
        return 1 if failures else 0

    for flags in ([], ["-O0"]):
        error = compiler.compile([case(name, 0) for name in tenants], "set.mtb", flags)
        require(not error, error)
        for run in range(max(len(inputs) for _, inputs in MODELS.values())):
            batch = [case(name, run) for name in tenants]
            for c in batch:
                assert cases.refer(c), f"{c.name}: {c.why_not}"
                compiler.save(c)
            error, together = compiler.run(batch, "set.mtb")
            require(not error, error)
            error, jittered = compiler.run(batch, "set.mtb", more=["--jitter", str(run + 1)])
            require(not error, error)
            for c in batch:
                runs += 1
                where = f"{c.name} {flags} run {run}:"
                for wrong in cases.judge(c, together[c.name]):
                    require(False, f"{where} {wrong}")
                require(cases.same_bytes(together[c.name], jittered[c.name]), f"{where} jitter changes bits")
                if run >= len(MODELS[c.name][1]):
                    continue
                error, alone = compiler.run([c], "set.mtb", alone=True)
                require(not error and cases.same_bytes(together[c.name], alone[c.name]), f"{where} alone it differs {error}")
    print(f"{len(tenants)} models, {runs} runs, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
