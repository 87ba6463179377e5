#!/usr/bin/env python3
"""The models of models.py and nodes.py end in an error within a second and 64 MiB + 4 times the file above what `mtc --version`
takes, or are compiled; nothing crashes, hangs or says what it should not.

    hostile_models.py --bin build/bin --work DIR [--seconds N] [--filter TEXT] [--table]

Seconds are of CPU time: how long it takes on the clock depends on what else runs. Sizes are resident memory.
"""

import argparse
import concurrent.futures
import pathlib
import resource
import shutil
import subprocess
import sys

import models
import nodes

EXTRA_MIB, TIMES = 64, 4
HANGS = 300  # seconds on the clock


# A process starts with the peak memory of the one that it was forked from, so a small one forks it.
LAUNCHER = f"""
import os, signal, sys
pid = os.fork()
if pid == 0:
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1), os.dup2(log, 2)
    os.execv(sys.argv[2], sys.argv[2:])
signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
signal.alarm({HANGS})
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""


def measure(command, log):
    """(exit code or -signal, CPU seconds, resident MiB, what it said)"""
    told = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, str(log), *command], stdout=subprocess.PIPE, check=True, text=True).stdout
    code, seconds, mib = told.split()
    return int(code), float(seconds), float(mib), pathlib.Path(log).read_text(errors="replace")


def all_models():
    seen = set()
    for family in (models.functions, models.growth, models.tensors, models.graphs, models.files, nodes.attributes, nodes.control):
        for name, made, ending in family():
            assert name not in seen, name
            seen.add(name)
            yield name, made if isinstance(made, bytes) else made.SerializeToString(), ending


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--filter", default="")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    work = pathlib.Path(arguments.work)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "data.bin").write_bytes(bytes(64))
    mtc = str(pathlib.Path(arguments.bin) / "mtc")
    base = max(measure([mtc, "--version"], work / "version.log")[2] for _ in range(3))

    def judge(item):
        name, content, ending = item
        path = work / f"{name}.onnx"
        path.write_bytes(content)
        log = work / f"{name}.log"
        # Compiling what is valid may take longer; whether it is valid must show at once.
        code, seconds, mib, said = measure([mtc, "compile", f"m={path}", "--emit=model", "-o", str(work / f"{name}.mlir"), "-q"], log)
        wrong = []
        allowed = base + EXTRA_MIB + TIMES * len(content) / 2**20
        lines = said.strip().splitlines()
        if code == 0 and ending == "error":
            wrong.append("is compiled")
        if code not in (0, 2, 3):
            wrong.append(f"exits with {code}: {said[:300]}")
        if code in (2, 3) and (not lines or not lines[0].startswith("mtc: error: ") or len(said) > 4096 + 600 * len(lines)):
            wrong.append(f"says {said[:200]!r}")
        if any(ord(c) < 32 and c != "\n" for c in said):
            wrong.append("prints control characters")
        if seconds > arguments.seconds:
            wrong.append(f"takes {seconds:.2f} s")
        if mib > allowed:
            wrong.append(f"takes {mib:.0f} MiB, allowed are {allowed:.0f}")
        path.unlink()
        return name, wrong, code, seconds, mib, lines[0][:160] if lines else ""

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    items = [i for i in all_models() if arguments.filter in i[0]]
    failures, slowest, largest = 0, 0, 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for name, wrong, code, seconds, mib, line in pool.map(judge, items):
            slowest, largest = max(slowest, seconds), max(largest, mib - base)
            failures += bool(wrong)
            if wrong:
                print(f"FAILED: {name}: {'; '.join(wrong)}", flush=True)
            if arguments.table:
                print(f"{name:32} {code:3} {seconds:5.2f} s {mib - base:5.0f} MiB  {line}", flush=True)
    print(f"{len(items)} models, {failures} failures; slowest {slowest:.2f} s, largest {largest:.0f} MiB above mtc --version")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
