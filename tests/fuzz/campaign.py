"""A fuzzing campaign: every harness with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, for some minutes of
processor time, however busy the machine is.

    tests/fuzz/campaign.py --minutes 15                  all of them, one after another
    tests/fuzz/campaign.py --minutes 60 npy import       these two
    tests/fuzz/campaign.py --report                      how long each has run in all, and what it has found

It needs clang. What the inputs have found is kept in the folder --state (default build-fuzz/state): the next campaign goes on
where the last one stopped. The first input that crashes, leaks, takes longer than 25 s or more than 2 GB ends a harness and
is kept in state/found; after the repair it belongs into tests/fuzz/corpus, which the ordinary suites run.
"""
import argparse
import json
import os
import re
import resource
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CORPUS = os.path.join(SOURCE, 'tests', 'fuzz', 'corpus')
HARNESSES = sorted(os.listdir(CORPUS))
PIECE = 120  # seconds that a kill loses at most


def build(folder, names):
    if not os.path.exists(os.path.join(folder, 'build.ninja')):
        subprocess.run(['meson', 'setup', folder, SOURCE, '-Dfuzz=true', '-Dwerror=false', '-Dbuildtype=debugoptimized',
                        '-Db_sanitize=address,undefined', '-Db_lundef=false'], check=True, env={**os.environ, 'CC': 'clang'})
    subprocess.run(['ninja', '-C', folder, *[f'tests/fuzz_{n}' for n in names]], check=True)


def load(path):
    if not os.path.exists(path):
        return {}
    with open(path) as f:
        return json.load(f)


def add(path, name, seconds, inputs):
    """Add to what a harness has run so far; written whole, so that a kill loses one harness at most."""
    known = load(path)
    one = known.setdefault(name, {'seconds': 0, 'inputs': 0})
    one['seconds'] += seconds
    one['inputs'] += inputs
    with open(path + '.part', 'w') as f:
        json.dump(known, f, indent=1)
    os.replace(path + '.part', path)


def cpu_seconds():
    """Of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_once(folder, state, name, seconds):
    """One harness for some seconds by the clock. Whether it found nothing."""
    corpus, found = os.path.join(state, 'corpus', name), os.path.join(state, 'found')
    os.makedirs(corpus, exist_ok=True)
    os.makedirs(found, exist_ok=True)
    log = os.path.join(state, f'{name}.log')
    start = cpu_seconds()
    with open(log, 'w') as f:
        code = subprocess.run([os.path.join(folder, 'tests', f'fuzz_{name}'), corpus, os.path.join(CORPUS, name),
                               f'-max_total_time={round(seconds)}', '-timeout=25', '-rss_limit_mb=2048', '-max_len=65536',
                               '-print_final_stats=1', f'-artifact_prefix={found}/{name}-'], stdout=f, stderr=f,
                              env={**os.environ, 'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1'}).returncode
    with open(log, errors='replace') as f:
        text = f.read()
    inputs = re.search(r'number_of_executed_units: (\d+)', text)
    add(os.path.join(state, 'times.json'), name, cpu_seconds() - start, int(inputs.group(1)) if inputs else 0)
    if code:
        print('\n'.join(x for x in text.splitlines() if 'ERROR' in x or 'runtime error' in x or 'Test unit' in x or 'fuzz:' in x)[:2000])
    return code == 0


def run(folder, state, name, minutes):
    """One harness until it has had some minutes of a processor, in pieces that are stored as they end. Whether it found
    nothing."""
    start = cpu_seconds()
    while True:
        left = 60 * minutes - (cpu_seconds() - start)
        if left <= 0:
            return True
        if not run_once(folder, state, name, min(max(left, 5), PIECE)):
            return False


def report(state):
    times = load(os.path.join(state, 'times.json'))
    found = os.listdir(os.path.join(state, 'found')) if os.path.isdir(os.path.join(state, 'found')) else []
    print(f'{"harness":12} {"minutes":>8} {"inputs":>12}  found')
    for name in HARNESSES:
        one = times.get(name, {'seconds': 0, 'inputs': 0})
        bad = sorted(x for x in found if x.startswith(name + '-') and not x.startswith(name + '-slow-unit'))
        print(f'{name:12} {one["seconds"] / 60:8.1f} {one["inputs"]:12}  {" ".join(bad) or "nothing"}')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('names', nargs='*', metavar='HARNESS', help=', '.join(HARNESSES))
    p.add_argument('--minutes', type=float, default=15, help='of a processor for each harness (default 15)')
    p.add_argument('--build', default=os.path.join(SOURCE, 'build-fuzz'), help='build folder (default build-fuzz)')
    p.add_argument('--state', help='what is kept from campaign to campaign (default BUILD/state)')
    p.add_argument('--report', action='store_true', help='run nothing')
    o = p.parse_args()
    state = o.state or os.path.join(o.build, 'state')
    unknown = set(o.names) - set(HARNESSES)
    if unknown:
        p.error(f'no harness {", ".join(sorted(unknown))}: there are {", ".join(HARNESSES)}')

    good = True
    if not o.report:
        names = o.names or HARNESSES
        build(o.build, names)
        for name in names:
            good = run(o.build, state, name, o.minutes) and good
    report(state)
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
