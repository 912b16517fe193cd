"""What the command's tests share: running mho in a folder of its own."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

MHO = os.environ['MHO']
folder = tempfile.mkdtemp(prefix='mho-test-')


def run(*words, code=0, env=None, cwd=folder, **more):
    """Run mho; its exit code must be as said (None: any). Returns the completed process (text)."""
    p = subprocess.run([MHO, *words], cwd=cwd, capture_output=True, text=True, timeout=250,
                       env={**os.environ, **(env or {})}, **more)
    assert code is None or p.returncode == code, f'mho {" ".join(words)}: exit {p.returncode}, expected {code}\n{p.stdout}{p.stderr}'
    return p


def lines(*words, **more):
    """The JSON objects that mho prints."""
    return [json.loads(x) for x in run(*words, **more).stdout.splitlines()]


def refused(*words, says, code=2, **more):
    """mho must refuse with one sentence that has these words in it."""
    p = run(*words, code=code, **more)
    said = [x for x in p.stderr.splitlines() if not x.startswith(('mho: warning', 'note: '))]
    for word in [says] if isinstance(says, str) else says:
        assert word in p.stderr, f'mho {" ".join(words)}: said {p.stderr!r}, expected {word!r}'
    assert len(said) == 1 or 'Try' in said[1], f'mho {" ".join(words)}: more than one sentence: {p.stderr!r}'
    return p


def write(name, text, mode='w'):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, mode) as f:
        f.write(text)
    return path


def main(tests):
    """Run the test functions; exit 1 when one fails."""
    failed = 0
    for t in tests:
        try:
            t()
            print(f'ok    {t.__name__}')
        except Exception as e:  # an assertion's text is the report
            failed += 1
            print(f'FAIL  {t.__name__}: {type(e).__name__}: {e}')
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(failed > 0)
