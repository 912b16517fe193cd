"""The manual as web pages (tools/site.sh): it builds without a warning, nothing in it is dead or fetched from elsewhere, and
headless Chromium shows it at desktop and phone width, light and dark, with nothing that sticks out. Skipped where Sphinx or
Chromium is not there. MHO_TEST_KEEP names a folder for the screenshots."""
import collections
import html
import json
import os
import re
import subprocess
import sys
import urllib.parse

from chromium import browse, pixels
from mho import folder, main

TOP = os.environ['MHO_SOURCE']
keep = os.environ.get('MHO_TEST_KEEP', folder)
site = os.path.join(folder, 'site')
LOOKED_AT = ('README', 'docs/guide', 'docs/physics', 'docs/gallery', 'docs/config', 'docs/schema', 'results/wires/README')
# what a page says of itself once it is there, to the page that it is a frame of: a window of Chromium has 500 pixels at least
PROBE = '''<script>addEventListener("load", function () {
  var e = document.scrollingElement, scrolls = function (x) {
    for (x = x.parentElement; x.tagName !== "ARTICLE"; x = x.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(x).overflowX) && x.getBoundingClientRect().right <= innerWidth) { return true; }
    }
    return false;
  }, out = Array.from(document.querySelectorAll("article *")).filter(function (x) {
    return x.getBoundingClientRect().right > innerWidth + 1 && !scrolls(x);
  });
  parent.postMessage(JSON.stringify({width: innerWidth, wide: e.scrollWidth - innerWidth, out: out.slice(0, 3).map(function (x) {
    return x.outerHTML.slice(0, 200); }), broken: Array.from(document.images).filter(function (x) {
    return !x.naturalWidth; }).map(function (x) { return x.src; }), text: document.querySelector("article").innerText.length}), "*");
});</script>'''
FRAME = '''<!doctype html><title></title><script>addEventListener("message", function (m) { document.title = m.data; });</script>
<iframe style="border: 0; width: {width}px; height: 900px" src="{src}"></iframe>'''


def build():
    p = subprocess.run([os.path.join(TOP, 'tools/site.sh'), site], capture_output=True, text=True, timeout=600)
    if p.returncode == 77:
        print(p.stderr.strip())
        sys.exit(77)
    assert p.returncode == 0, p.stdout + p.stderr


def content(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def all_pages():
    for home, _, names in os.walk(site):
        yield from (os.path.join(home, n) for n in sorted(names) if n.endswith('.html'))


def test_links():
    ids, dead, checked = {}, [], 0
    for page in all_pages():
        text = content(page)
        assert not re.search(r'(src|<link[^>]* href)="https?:', text), f'{page} fetches something from elsewhere'
        for target in re.findall(r'(?:href|src)="([^"]+)"', text):
            target = html.unescape(target)
            if re.match(r'[a-z]+:', target):
                continue
            path, _, anchor = target.partition('#')
            path = urllib.parse.unquote(path.partition('?')[0])
            there = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            checked += 1
            if not os.path.isfile(there):
                dead.append(f'{os.path.relpath(page, site)}: {target}')
            elif anchor and there.endswith('.html'):
                if there not in ids:
                    ids[there] = set(re.findall(r'\bid="([^"]+)"', content(there)))
                if urllib.parse.unquote(anchor) not in ids[there]:
                    dead.append(f'{os.path.relpath(page, site)}: {target}: no such anchor')
    assert not dead, '\n'.join(dead[:20])
    assert checked > 500, checked


def probe(name):
    """Write the page with the probe in it, beside the page; where it is."""
    text = content(os.path.join(site, name + '.html'))
    assert '</body>' in text
    path = os.path.join(site, name + '_probed.html')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text.replace('</body>', PROBE + '</body>'))
    return path


def test_pages_in_a_browser():
    for name in LOOKED_AT:
        if not os.path.exists(os.path.join(site, name + '.html')):
            raise AssertionError(f'there is no page {name}')
        path = probe(name)
        for width in (1280, 390):
            with open(os.path.join(folder, 'frame.html'), 'w', encoding='utf-8') as f:
                f.write(FRAME.replace('{width}', str(width)).replace('{src}', 'file://' + path))
            dom, _ = browse('--window-size=1400,1000', '--dump-dom', '--virtual-time-budget=3000', f'file://{folder}/frame.html')
            said = re.search(r'<title>({.*?})</title>', dom)
            assert said, dom[:300]
            seen = json.loads(html.unescape(said[1]))
            print('     ', name, seen['width'], seen['wide'], seen['text'])
            assert seen['width'] == width and seen['wide'] <= 0 and not seen['out'], (name, seen)
            assert not seen['broken'] and seen['text'] > 500, (name, seen)
        os.remove(path)


def test_screenshots():
    for name in LOOKED_AT[:4]:
        for look, words in (('desktop', ['--window-size=1280,1600']), ('phone', ['--window-size=390,1600']),
                            ('dark', ['--window-size=1280,900', '--blink-settings=preferredColorScheme=0', '--force-dark-mode'])):
            shot = os.path.join(keep, f'{name.replace("/", "-")}-{look}.png')
            browse(*words, f'--screenshot={shot}', f'file://{site}/{name}.html')
            width, height, each, rows = pixels(shot)
            dots = collections.Counter(bytes(r[i:i + 3]) for r in rows[::50] for i in range(0, len(r), 8 * each))
            most = dots.most_common(1)[0][0]  # the color of the page
            assert sum(len(set(r)) > 8 for r in rows) > height / 4, f'{shot}: nearly empty'
            assert (max(most) < 100) == (look == 'dark'), (shot, tuple(most))


build()
main([test_links, test_pages_in_a_browser, test_screenshots])
