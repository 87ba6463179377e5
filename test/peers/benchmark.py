#!/usr/bin/env python3
"""Times mtc's bundles and the peers in turn, in one run, and prints ratios of medians.

    benchmark.py --bin build/bin --references DIR --bundles DIR --table FILE [--repeat N] [--results FILE] SET...

DIR/SET.mtb are bundles of whole sets; the references are those of `peers.py static` for the models of FILE. Each of the
N (default 3) repetitions runs, one after the other, the round of the set (`mtrt bench --mode round` and
`peers.py round`), every model alone on one core and on all (`--mode solo`, `peers.py solo`), and the tasks of mtc
beside the roofline (`--mode kernels`); both sides take inputs from and leave outputs in the host's memory. The best peer
of a repetition counts, then the median over repetitions. Prints a table in Markdown, with the part of the measured
roofline that contractions above 10 MFLOP reach; --results writes it to a file, with machine and date, --tasks the time
of every task and what it reached of the roofline. Run it on an otherwise idle machine: a spread above 5 % between
repetitions is marked with `~`.
"""
import argparse
import csv
import datetime
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
LARGE = 10e6  # floating-point operations


def run(*command):
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL)


class Benchmark:
    def __init__(self, options):
        self.options = options
        self.work = pathlib.Path(options.bundles)
        self.times = {}  # (set, what, threads, engine) -> ms of each repetition
        self.reports = {}  # set -> what `--mode kernels` said in each repetition
        with open(options.table) as f:
            self.names = {}
            for row in csv.DictReader(f, delimiter="\t"):
                self.names.setdefault(row["set"], []).append(row["name"])

    def note(self, name, what, threads, engine, ms):
        self.times.setdefault((name, what, threads, engine), []).append(ms)

    def mtrt(self, name, *arguments):
        report = self.work / "bench.json"
        run(self.options.bin / "mtrt", "bench", self.work / f"{name}.mtb", "-q", "--json", report, *arguments)
        return json.loads(report.read_text())

    def peers(self, verb, *arguments):
        python = [sys.executable, HERE / "peers.py", "--table", self.options.table, verb, self.options.references]
        run(*python, *arguments)
        return json.loads((pathlib.Path(self.options.references) / f"{verb}.json").read_text())

    def repetition(self, name):
        cores = len(os.sched_getaffinity(0))
        self.note(name, "round", cores, "mtc", self.mtrt(name, "--mode", "round")["round_ms"]["median"])
        self.note(name, "round", cores, "peer", self.peers("round", name)[name]["best"])
        first = str(min(os.sched_getaffinity(0)))
        for threads, where in ((1, ["--cpus", first]), (cores, [])):
            for tenant in self.mtrt(name, "--mode", "solo", *where)["tenants"]:
                self.note(name, tenant["name"], threads, "mtc", tenant["median_ms"])
        solo = self.peers("solo", *self.names[name])
        for model in self.names[name]:
            for threads in {1, cores}:
                best = min(ms for engine, ms in solo[model].items() if engine.endswith(f"_{threads}"))
                self.note(name, model, threads, "peer", best)
        self.reports.setdefault(name, []).append(self.mtrt(name, "--mode", "kernels", "--iterations", "20"))

    def tasks(self, name):
        """The tasks of a set, each number the median of the repetitions'."""
        by_task = {}
        for report in self.reports[name]:
            for task in report["tasks"]:
                by_task.setdefault((task["tenant"], task["task"]), []).append(task)
        return [medians(same) for same in by_task.values()]

    def large_contractions(self, name):
        """What each task with a large contraction reaches of the roofline."""
        return [t["roofline_fraction"] for t in self.tasks(name)
                if t["kernel"].startswith("contraction") and t["gflops"] * t["median_us"] * 1e3 > LARGE]

    def of_vectors(self, name):
        """The same against multiply-adds of f32 alone, which tiles of bf16 and bytes surpass."""
        roof = medians([report["roofline"] for report in self.reports[name]])["gflops_per_core"]
        return [t["gflops"] / t["workers"] / roof for t in self.tasks(name)
                if t["kernel"].startswith("contraction") and t["gflops"] * t["median_us"] * 1e3 > LARGE]

    def task_lines(self):
        lines = []
        for name, reports in self.reports.items():
            roof = medians([report["roofline"] for report in reports])
            lines.append(f"# {name}: {roof['gflops_per_core']:.1f} GFLOP/s a core, {roof['byte_gops_per_core']:.1f} of bytes, "
                         f"{roof['tile_gflops_per_core']:.1f} of tiles of bf16, "
                         f"{roof['gbytes_per_s']:.1f} GB/s, from the "
                         f"last cache {roof['cache_gbytes_per_s_per_core']:.1f} GB/s a core")
        lines.append("set\ttenant\ttask\tname\tkernel\tcores\tmedian us\tleast us\tpredicted us\tGFLOP/s\tGB/s\tof the roofline")
        for name in self.reports:
            lines += [f"{name}\t{t['tenant']}\t{t['task']}\t{t['name']}\t{t['kernel']}\t{t['workers']}\t"
                      f"{t['median_us']:.1f}\t{t['min_us']:.1f}\t{t['predicted_us']:.1f}\t{t['gflops']:.1f}\t"
                      f"{t['gbytes_per_s']:.1f}\t{t['roofline_fraction']:.2f}" for t in self.tasks(name)]
        return lines

    def table(self):
        lines = ["| Set | What | Cores | mtc ms | best peer ms | ratio |", "| --- | --- | --- | --- | --- | --- |"]
        solo = []
        for name, what, threads in sorted({k[:3] for k in self.times}, key=lambda k: (k[0], k[1] != "round", k)):
            sides = [self.times[name, what, threads, engine] for engine in ("mtc", "peer")]
            ours, peer = (statistics.median(s) for s in sides)
            unstable = any(max(s) - min(s) > 0.05 * statistics.median(s) for s in sides)
            if what != "round":
                solo.append(ours / peer)
            lines.append(f"| {name} | {what} | {threads} | {ours:.2f} | {peer:.2f} | {ours / peer:.2f}{'~' * unstable} |")
        lines += ["", f"Models alone: geometric mean of the ratios {geometric_mean(solo):.2f}, largest {max(solo):.2f}."]
        large = {name: self.large_contractions(name) for name in self.reports}
        for name, parts in large.items():
            if parts:
                lines.append(f"Contractions above 10 MFLOP of {name}: {len(parts)} tasks, "
                             f"{geometric_mean(parts):.0%} of the roofline measured in the same run (geometric mean), "
                             f"{geometric_mean(self.of_vectors(name)):.0%} of that of f32 on vectors.")
        means = [geometric_mean(parts) for parts in large.values() if parts]
        if len(means) > 1:
            lines.append(f"Geometric mean of these: {geometric_mean(means):.0%}.")
        return lines


def medians(same):
    """One of several dictionaries of the same keys: numbers are medians, the rest the first one's."""
    return {key: statistics.median(d[key] for d in same) if isinstance(value, float) else value for key, value in same[0].items()}


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--references", required=True)
    parser.add_argument("--bundles", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--results")
    parser.add_argument("--tasks")
    parser.add_argument("sets", nargs="+", metavar="SET")
    options = parser.parse_args()
    benchmark = Benchmark(options)
    for name in options.sets:
        for _ in range(options.repeat):
            benchmark.repetition(name)
    device = benchmark.reports[options.sets[0]][0]["device"]
    head = [f"Measured on {device}, {datetime.date.today()}; medians of {options.repeat} repetitions, "
            "mtc and peers in turn.", ""]
    text = "\n".join(head + benchmark.table()) + "\n"
    print(text, end="")
    if options.results:
        pathlib.Path(options.results).write_text(text)
    if options.tasks:
        pathlib.Path(options.tasks).write_text("\n".join([f"# {head[0]}", *benchmark.task_lines()]) + "\n")


if __name__ == "__main__":
    main()
