"""Every verb has a manual page with all that its --help has, and man(1) has nothing to complain of in it."""
import re
import shutil
import subprocess

from mho import main, run

VERBS = re.findall(r'^  (\w+) ', run('--help').stdout.split('\n\n')[1], re.M)


def plain(page):
    """A page as it is read, without what is bold or underlined and without the breaks of lines."""
    p = subprocess.run(['man', '-l', '-'], input=page, capture_output=True, text=True,
                       env={'PATH': '/usr/bin:/bin', 'MANWIDTH': '120', 'MANPAGER': 'cat', 'LC_ALL': 'C.UTF-8', 'MAN_KEEP_FORMATTING': ''})
    assert p.returncode == 0 and not p.stderr.strip(), p.stderr
    return re.sub('.\b', '', p.stdout)


def joined(text):
    """Words with one blank between them; hyphens at the ends of lines are no parts of words here."""
    return re.sub(r'\s+', ' ', text.replace('\u2010', '-'))


def test_all_verbs():
    assert len(VERBS) > 20, VERBS
    whole = run('--man').stdout
    for v in VERBS:
        assert f'.BR mho\\-{v} (1)' in whole and f'.B {v}\n' in whole, v
    run('--man', 'nothing', code=2)


def test_every_option():
    for v in VERBS:
        help_text, page = run(v, '--help').stdout, run('--man', v).stdout
        for option in re.findall(r'^ {2,6}(?:-\S, )?--([a-z][\w-]*)', help_text, re.M):
            assert '\\fB\\-\\-' + option.replace('-', '\\-') + '\\fR' in page, (v, option)
        for section in ('NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'EXAMPLES', 'EXIT STATUS', 'SEE ALSO'):
            assert f'.SH {section}\n' in page, (v, section)
        assert page.startswith('.\\"') and f'.TH MHO-{v.upper()} 1 ' in page


def test_reads_well():
    """The text of --help is in the page as man shows it: words and order of each sentence."""
    if not shutil.which('man') or not shutil.which('groff'):
        print('the pages are not formatted: that needs man and groff (apt-get install man-db groff)')
        return
    for v in VERBS:
        page = joined(plain(run('--man', v).stdout))
        text = run(v, '--help').stdout
        for paragraph in re.split(r'\n\n', text.split('\n', 1)[1]):
            if paragraph.startswith((' ', 'Mandatory', 'Report', 'Example', 'Usage')) or not paragraph.strip():
                continue
            first = joined(re.split(r'(?<=[.:]) ', joined(paragraph))[0]).strip()
            assert first in page, f'mho --man {v} lacks: {first}'
    assert 'mho - neural networks' in joined(plain(run('--man').stdout)).replace('−', '-')


def test_lint():
    if not shutil.which('mandoc'):
        print('the pages are not checked: that needs mandoc (apt-get install mandoc)')
        return
    for v in [None, *VERBS]:
        p = subprocess.run(['mandoc', '-Tlint', '-Wwarning'], input=run('--man', *([v] if v else [])).stdout, capture_output=True, text=True)
        bad = [x for x in p.stdout.splitlines() if 'missing date' not in x]
        assert not bad, (v, bad)


main([test_all_verbs, test_every_option, test_reads_well, test_lint])
