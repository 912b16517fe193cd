#!/bin/sh
# run.sh - stencils of EP: how biased each is without noise, and what it learns with noise; prints the tables of README.md.
# Stopped at any time, it goes on where it was with the trainings. About 15 minutes of one core.
# Usage: results/stencil/run.sh; DB=file, JOBS=n, MHO=command in the environment. The biases need numpy (Debian's python3-numpy).
set -eu
cd "$(dirname "$0")"
mho=${MHO:-../../build/mho}
db=${DB:-../stencil.db}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
/usr/bin/python3 bias.py "$mho" "$folder"
"$mho" sweep noise.yaml --db "$db" --jobs "${JOBS:-1}" --threads 1 >&2

# a row for each net, largest nudge and stencil; a column for each noise
"$mho" query --db "$db" --json "
  SELECT json_array_length(r.hidden) || ' layers' AS net, printf('%g', round(s.nudge * m.largest, 3)) AS largest, m.name AS stencil,
    group_concat(printf('%.1f ± %.1f', 100 * test_acc_mean, 100 * coalesce(test_acc_std, 0)), ' | ') AS accuracies
  FROM (SELECT * FROM v_study WHERE study = 'noise' ORDER BY read_noise) s JOIN run r ON r.id = s.run_id
  JOIN (SELECT 1 AS place, 'one-sided' AS name, 'one_sided' AS phases, 4 AS points, 0 AS fit, 1 AS reads, 1 AS largest
        UNION ALL SELECT 2, 'centred', 'centred', 4, 0, 1, 1
        UNION ALL SELECT 3, 'centred, 2 reads averaged', 'centred', 4, 0, 2, 1
        UNION ALL SELECT 4, '4 points', 'points', 4, 0, 1, 2
        UNION ALL SELECT 5, '4 points, order 1', 'points', 4, 1, 1, 2
        UNION ALL SELECT 6, '6 points, order 3', 'points', 6, 3, 1, 3) m
    ON m.phases = r.phases AND m.points = json_extract(r.config, '\$.rule.points')
   AND m.fit = json_extract(r.config, '\$.rule.order') AND m.reads = json_extract(r.config, '\$.array.average')
  GROUP BY 1, 2, m.place ORDER BY 1, 2, m.place" |
  /usr/bin/python3 -c '
import json, sys
print("| net | largest nudge | stencil | no noise | 1e-3 | 1e-2 |\n|---|---|---|---|---|---|")
for line in sys.stdin:
    print("| " + " | ".join(str(v) for v in json.loads(line).values()) + " |")'
