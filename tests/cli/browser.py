"""The report of a study with a two-key grid, and of a run, in headless Chromium: both open at desktop and phone width, in the
dark and in print, without console errors, soon and small. Skipped where there is no Chromium. MHO_TEST_KEEP names a folder for
the screenshots."""
import html
import json
import os
import re

from chromium import browse, pixels
from mho import folder, main, run, write

keep = os.environ.get('MHO_TEST_KEEP', folder)

write('grid.yaml', '''study: grid
base:
  network: {hidden: [16]}
  device: {model: soft_bounds, cycle_to_cycle: 0.2, variation: {step: 0.2}}
  update: {scheme: pulses, rate: 0.01}
  train: {epochs: 3, batch: 20}
vary:
  array.read_noise: {from: 1e-4, to: 1e-1, steps: 4, scale: log}
  device.step_up, device.step_down: [0.002, 0.01]
seeds: 2
''')
# what the page says of itself once it is there, in its title, which --dump-dom shows
PROBE = '''<script>addEventListener("load", function () {
  var d = document, e = d.scrollingElement, t = performance.getEntriesByType("navigation")[0];
  var small = Array.from(d.querySelectorAll("button, summary, .scroll")).filter(function (x) { return x.tabIndex < 0; }).length;
  var order = function () { var c = d.querySelector("table.sortable"); return c ? c.tBodies[0].textContent : ""; };
  var before = order(), button = d.querySelector("table.sortable th:nth-child(3) button"), sorted = !button;
  if (button) { button.click(); var a = order(); button.click(); sorted = a !== order(); }
  d.title = JSON.stringify({wide: e.scrollWidth - innerWidth, ms: t.domContentLoadedEventEnd, plots: d.querySelectorAll("figure svg").length,
    named: Array.from(d.querySelectorAll("figure svg")).filter(function (x) { return !x.getAttribute("aria-label"); }).length,
    unreachable: small, sorted: sorted, tables: d.querySelectorAll("table").length, heat: d.querySelectorAll(".heat td").length,
    links: d.querySelectorAll("[src]:not([src^=data]), link[href]:not([href^=data]), a[href^=http]").length});
});</script>'''


def make():
    run('sweep', 'grid.yaml', '--db', 'g.db', '--jobs', '2')
    run('cosim', 'last', '--db', 'g.db')
    run('report', 'grid', '--db', 'g.db', '-o', 'study.html')
    run('report', 'last', '--db', 'g.db', '-o', 'run.html')


def test_pages():
    for page in ('study', 'run'):
        path = os.path.join(folder, page + '.html')
        assert os.path.getsize(path) < 3e6
        with open(path) as f:
            text = f.read()
        assert not re.search(r'(src|href)="?https?:', text)
        bare = re.sub(r'<meta http-equiv="?Content-Security-Policy[^>]*>', '', text)  # which allows no script but the page's own
        assert len(bare) < len(text)
        probed = write(page + '_probed.html', bare.replace('</body>', PROBE + '</body>') if '</body>' in text else bare + PROBE)
        for width in (1280, 390):
            dom, _ = browse(f'--window-size={width},900', '--dump-dom', '--virtual-time-budget=2000', 'file://' + probed)
            said = re.search(r'<title>({.*?})</title>', dom)
            assert said, dom[:300]
            seen = json.loads(html.unescape(said[1]))
            print('     ', page, width, seen)
            assert seen['wide'] <= 0, f'{page} at {width}: {seen["wide"]} pixels stick out'
            assert seen['plots'] >= 5 and seen['tables'] >= 2, seen
            assert seen['named'] == 0 and seen['unreachable'] == 0 and seen['links'] == 0 and seen['sorted'], seen
            assert page == 'run' or seen['heat'] >= 8


def test_screenshots():
    for page in ('study', 'run'):
        for name, words in (('desktop', ['--window-size=1280,2600']), ('phone', ['--window-size=390,3600']),
                            ('dark', ['--window-size=1280,900', '--blink-settings=preferredColorScheme=0', '--force-dark-mode'])):
            shot = os.path.join(keep, f'{page}-{name}.png')
            browse(*words, f'--screenshot={shot}', f'file://{folder}/{page}.html')
            if name != 'phone':
                width, height, each, rows = pixels(shot)
                corner, ink = rows[0][:3], sum(len(set(r)) > 8 for r in rows)
                assert width == 1280 and ink > height / 4, f'{shot}: nearly empty'
                assert (max(corner) < 60) == (name == 'dark'), (shot, tuple(corner))
        pdf = os.path.join(keep, page + '.pdf')
        browse('--no-pdf-header-footer', f'--print-to-pdf={pdf}', f'file://{folder}/{page}.html')
        assert 5e3 < os.path.getsize(pdf) < 3e6


make()
main([test_pages, test_screenshots])
