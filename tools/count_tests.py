"""The closing line of ./check: tests passed, failed and skipped, from meson's own log."""
import json
import sys

counts = {'passed': 0, 'failed': 0, 'skipped': 0}
for line in open(sys.argv[1], encoding='utf-8'):
    result = json.loads(line)['result']
    counts['passed' if result in ('OK', 'EXPECTEDFAIL') else 'skipped' if result == 'SKIP' else 'failed'] += 1
print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
