#!/usr/bin/env python3
"""Random valid graphs, compiled together as tenants of sets and run, against onnxruntime.

    differential.py --bin build/bin --work DIR [--first SEED] [--count N] [--set-size N] [-O0]

Prints a line per graph that fails, with the few nodes that are to blame, keeps its model and inputs in DIR/failures/SEED,
and exits with 1 if there was any. Everything follows from the seeds.
"""

import collections
import pathlib
import sys

import numpy as np
import onnx

import cases
import minimize


def main():
    parser = cases.argument_parser(__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--set-size", type=int, default=60)
    parser.add_argument("--nodes", type=int, default=12)
    parser.add_argument("-O0", dest="flags", action="append_const", const="-O0", default=[])
    arguments = parser.parse_args()
    compiler = cases.Compiler(arguments.bin, arguments.work)
    failures, silent, operators = 0, 0, collections.Counter()

    def fails(case):
        error, got = compiler.answers([case], "one.mtb", arguments.flags)[case.name]
        return [error] if error else cases.judge(case, got)

    for start in range(arguments.first, arguments.first + arguments.count, arguments.set_size):
        seeds = range(start, min(start + arguments.set_size, arguments.first + arguments.count))
        batch = []
        for seed in seeds:
            case = cases.random_case(seed, arguments.nodes)
            if cases.refer(case):
                batch.append(case)
                operators.update(n.op_type for n in case.model.graph.node)
            else:
                silent += 1
                print(f"seed {seed}: onnxruntime does not answer: {case.why_not}", flush=True)
        for name, (error, got) in compiler.answers(batch, flags=arguments.flags).items():
            case = next(c for c in batch if c.name == name)
            wrong = [error] if error else cases.judge(case, got)
            if not wrong:
                continue
            failures += 1
            small = minimize.minimize(case, fails)
            print(f"FAILED: seed {name[1:]}: {wrong[0]}\n{minimize.describe(small)}", flush=True)
            if small is not case:
                print("  " + fails(small)[0], flush=True)
            folder = pathlib.Path(arguments.work) / "failures" / name[1:]
            folder.mkdir(parents=True, exist_ok=True)
            onnx.save(small.model, folder / "model.onnx")
            np.savez(folder / "inputs.npz", **small.inputs)
        print(f"seeds {seeds[0]} to {seeds[-1]}: {failures} failed so far", flush=True)
    print(f"{arguments.count - silent - failures} of {arguments.count} graphs agree with onnxruntime, {failures} fail, "
          f"{silent} have no answer there; {sum(operators.values())} nodes of {len(operators)} operators")
    return 1 if failures or silent > arguments.count // 50 else 0


if __name__ == "__main__":
    sys.exit(main())
