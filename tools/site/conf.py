"""What Sphinx is told of the manual: see tools/site.sh. Pages are where they are in the tree, and read there as well."""
import glob
import os
import re

from docutils import nodes

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

project = 'mho'
author = ''
copyright = ''
language = 'en'
extensions = ['myst_parser']
root_doc = 'README'
include_patterns = ['*.md', 'docs/*.md', 'results/*/*.md', 'netlists/*.md', 'tests/bench/*.md']
exclude_patterns = ['build*', '.*', 'src', 'include', 'subprojects']
myst_heading_anchors = 4
html_theme = 'furo'
html_title = 'mho'
html_static_path = ['style']
html_css_files = ['site.css']
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
pygments_style = 'default'
pygments_dark_style = 'github-dark'

CONTENTS = [
    ('Manual', ['guide', 'python', 'physics', 'gallery', 'config', 'models', 'energy', 'schema', 'glossary']),
    ('For developers', ['architecture', 'extend', '../CONTRIBUTING', '../CHANGELOG', '../tests/bench/README']),
]


NAMES = {'results/conv/README': 'Convolutional nets', 'results/dynamics/README': 'Continuous time',
         'results/fre_rnn/README': "The paper's tables", 'results/fre_rnn/FIGURES': "The paper's figures",
         'results/nonidealities/README': 'Non-idealities', 'results/questions/README': 'Three questions',
         'results/reference/README': 'Floating-point reference', 'docs/energy': 'Energy and time', 'docs/schema': 'Database',
         'CONTRIBUTING': 'Contributing', 'CHANGELOG': 'Changes', 'netlists/README': 'Netlists', 'tests/bench/README': 'Benchmarks'}


def name_of(page):
    """What a page is called beside all others."""
    folder, _, own = page.rpartition('/')
    return NAMES.get(page, (folder.rpartition('/')[2] if own == 'README' else own).capitalize())


def contents():
    """The table of contents behind the README, which has none of its own."""
    parts = [(caption, [os.path.normpath(os.path.join('docs', p)) for p in names]) for caption, names in CONTENTS]
    results = sorted((os.path.relpath(p, TOP)[:-3] for p in glob.glob(os.path.join(TOP, 'results/*/*.md'))), key=name_of)
    parts.insert(1, ('Results', results + ['netlists/README']))
    for caption, names in parts:
        there = [p for p in names if os.path.exists(os.path.join(TOP, p + '.md'))]
        lines = '\n'.join(f'{name_of(p)} </{p}>' for p in there)
        yield f'\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n'


def own_anchors(page, text):
    """Links to anchors that a page gives itself by <a id>, as HTML: the Markdown parser knows those of headings alone."""
    def link(m):
        path = os.path.normpath(os.path.join(os.path.dirname(page), m[2] + '.md')) if m[2] else page + '.md'
        with open(os.path.join(TOP, path), encoding='utf-8') as f:
            given = f'<a id="{m[3]}">' in f.read()
        return f'<a href="{m[2] + ".html" if m[2] else ""}#{m[3]}">{m[1]}</a>' if given else m[0]

    return re.sub(r'\[([^][]+)\]\(([\w./-]*?)(?:\.md)?#([\w-]+)\)', link, text)


def read(app, page, source):
    source[0] = own_anchors(page, source[0])
    if page == root_doc:
        source[0] += ''.join(contents())


def keep_short(app, document, page):
    """Words of code that are short are not broken at their hyphens."""
    for code in document.findall(nodes.literal):
        if len(code.astext()) <= 28:
            code['classes'].append('short')


def drop_script(app, page, template, context, document):
    """The theme's own script, as Debian has it, is a module without its page saying so: an error in every browser, and
    nothing that the pages need."""
    context['script_files'] = [x for x in context['script_files'] if 'furo.js' not in str(getattr(x, 'filename', x))]


def write_index(app, error):
    """What one opens first."""
    if not error:
        with open(os.path.join(app.outdir, 'index.html'), 'w', encoding='utf-8') as f:
            f.write(f'<!doctype html><meta charset="utf-8"><title>mho</title>'
                    f'<meta http-equiv="refresh" content="0; url={root_doc}.html"><a href="{root_doc}.html">mho</a>\n')


def setup(app):
    app.connect('source-read', read)
    app.connect('doctree-resolved', keep_short)
    app.connect('html-page-context', drop_script, priority=900)
    app.connect('build-finished', write_index)
