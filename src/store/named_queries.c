/* named_queries.c - the questions of a design study, each one statement about the study ?1.
 *
 * A grid point is the runs that differ in nothing but seeds. What the study varies is in its
 * config: vary (keys with their values) and points (keys only). test % is the test accuracy after
 * the last epoch, mean over seeds.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store_impl.h"

#include <string.h>

/* The statements are broken by hand: a clause a line. */
/* clang-format off */

/* k: what the study varies, one key of those that are set together */
#define KEYS \
  "k(pos, key) AS (SELECT v.key, json_extract(v.value, '$.keys[0]') " \
  "FROM study, json_each(study.config, '$.vary') AS v " \
  "WHERE name = ?1 " \
  "UNION ALL " \
  "SELECT 100 + p.key, p.value " \
  "FROM study, json_each(study.config, '$.points') AS p " \
  "WHERE name = ?1)"

/* the completed runs, the newest of each config, by point */
#define RUNS \
  "r AS (SELECT run.id AS id, run.point_hash AS point, final_test_acc AS acc, pulses, " \
  "energy_j, wall_s, device, scheme, seed " \
  "FROM study_run AS s JOIN run ON run.id = s.run_id " \
  "WHERE s.study = ?1 AND status = 'completed' " \
  "GROUP BY config_hash HAVING id = max(id))"

/* one row a point */
#define POINTS \
  "p AS (SELECT point, count(*) AS n, avg(acc) AS acc, sqrt(max(0, avg(acc * acc) - " \
  "avg(acc) * avg(acc)) * count(*) / nullif(count(*) - 1, 0)) AS std, avg(pulses) AS " \
  "pulses, avg(energy_j) AS energy, avg(wall_s) AS wall, max(id) AS id, device, scheme " \
  "FROM r " \
  "GROUP BY point)"

/* "read_noise=0.01 step_up=0.002" of the run p.id */
#define LABEL \
  "(SELECT group_concat(substr(key, instr(key, '.') + 1) || '=' || " \
  "coalesce(json_extract(run.config, '$.' || key), '-'), ' ') " \
  "FROM (SELECT key " \
  "FROM k " \
  "ORDER BY pos)) AS point"

#define PERCENT(x, name) "format('%.2f', 100 * (" x ")) AS \"" name "\""

/* A share of the variance; "" where there is no run beyond one a value to tell it from chance
 * by. */
#define SHARE(x, name) "iif((" x ") IS NULL, '', format('%.1f', 100 * (" x "))) AS \"" name "\""

/* The value of a level, or from where to where its values reach. */
#define BIN \
  "CASE WHEN n_values <= 12 OR min(value) = max(value) THEN min(value) WHEN " \
  "typeof(min(value)) = 'text' THEN min(value) || ' to ' || max(value) ELSE format('%.3g to " \
  "%.3g', min(value), max(value)) END"

/* Runs of the study that gave no accuracy: diverged or failed, and no other of their config
 * completed. */
#define NOT_COUNTED \
  "(SELECT count(*) " \
  "FROM study_run AS w JOIN run AS z ON z.id = w.run_id " \
  "WHERE w.study = ?1 AND z.status IN ('diverged', 'failed') AND NOT EXISTS (SELECT 1 " \
  "FROM run AS y " \
  "WHERE y.config_hash = z.config_hash AND y.status = 'completed'))"

static const mho_named_query named[] = {
    {
        "spread",
        "mean and standard deviation over seeds of every grid point, the best first",
        "WITH " KEYS ", " RUNS ", " POINTS " "
        "SELECT " LABEL ", n, " PERCENT("acc", "test %") ", " PERCENT("std", "std %")
        ", p.pulses AS pulses, energy AS \"energy J\", format('%.2f', wall) AS \"time s\", p.id "
        "AS run "
        "FROM p JOIN run ON run.id = p.id "
        "ORDER BY acc DESC",
    },
    {
        "pareto",
        "grid points that no other beats in both accuracy and energy (pulses where no energy "
        "is modelled)",
        "WITH " KEYS ", " RUNS ", " POINTS ", c AS (SELECT *, coalesce(energy, pulses) AS cost "
        "FROM p), o AS (SELECT *, max(acc) OVER (ORDER BY cost, acc DESC ROWS BETWEEN "
        "UNBOUNDED PRECEDING AND 1 PRECEDING) AS before "
        "FROM c) "
        "SELECT " LABEL ", n, " PERCENT("acc", "test %")
        ", o.energy AS \"energy J\", o.pulses AS pulses, o.id AS run "
        "FROM o JOIN run ON run.id = o.id "
        "WHERE before IS NULL OR acc > before "
        "ORDER BY cost",
    },
    {
        "sensitivity",
        "which key matters most: the share of the variance of accuracy that each explains "
        "alone (omega^2: 0 where chance would do), with its 95 % interval",
        "WITH " KEYS ", " RUNS
        ", v AS (SELECT key, acc, json_extract(run.config, '$.' || key) AS value "
        "FROM r "
        "JOIN run ON run.id = r.id, k), d AS (SELECT key, count(DISTINCT value) AS n_values "
        "FROM v "
        "GROUP BY key), b AS (SELECT v.key AS key, acc, value, n_values, CASE WHEN n_values > "
        "12 THEN ntile(6) OVER (PARTITION BY v.key "
        "ORDER BY value) ELSE value END AS level "
        "FROM v "
        "JOIN d USING (key)), g AS (SELECT key, level, count(*) AS n, avg(acc) AS mean, n_values, "
        BIN " AS label "
        "FROM b "
        "GROUP BY key, level), t AS (SELECT mean, sum((acc - mean) * (acc - mean)) AS ss, "
        "count(*) AS n "
        "FROM r, (SELECT avg(acc) AS mean "
        "FROM r)), s AS (SELECT key, n_values, count(*) AS k, sum(g.n * (g.mean - t.mean) * "
        "(g.mean - t.mean)) AS apart, t.ss AS ss, t.n AS n, min(g.mean) AS worst, max(g.mean) "
        "AS best "
        "FROM g, t "
        "GROUP BY key), m AS (SELECT *, CASE WHEN n > k THEN max(ss - apart, 0) / (n - k) END "
        "AS within "
        "FROM s), o AS (SELECT *, CASE WHEN ss > 0 THEN max((apart - (k - 1) * within) / (ss "
        "+ within), 0) END AS share "
        "FROM m) "
        "SELECT key, n_values AS \"values\", " SHARE("share", "explains %") ", "
        SHARE("variance_share(apart, ss, k, n, 0.975)", "from %") ", "
        SHARE("variance_share(apart, ss, k, n, 0.025)", "to %") ", " PERCENT("worst", "worst %")
        ", " PERCENT("best", "best %") ", (SELECT label "
        "FROM g AS h "
        "WHERE h.key = o.key "
        "ORDER BY h.mean DESC LIMIT 1) AS \"best at\", n AS runs, " NOT_COUNTED
        " AS \"not counted\" "
        "FROM o "
        "ORDER BY share DESC, apart DESC",
    },
    {
        "best-per-device",
        "the best grid point of each device and programming scheme",
        "WITH " KEYS ", " RUNS ", " POINTS " "
        "SELECT p.device AS device, p.scheme AS scheme, " LABEL ", n, "
        PERCENT("max(acc)", "test %") ", " PERCENT("std", "std %")
        ", p.pulses AS pulses, energy AS \"energy J\", p.id AS run "
        "FROM p JOIN run ON run.id = p.id "
        "GROUP BY p.device, p.scheme "
        "ORDER BY max(acc) DESC",
    },
    {
        "curve",
        "learning curve: mean, least and greatest test accuracy after each epoch",
        "WITH " RUNS " "
        "SELECT epoch, count(*) AS runs, " PERCENT("avg(test_acc)", "test %") ", "
        PERCENT("min(test_acc)", "least %") ", " PERCENT("max(test_acc)", "greatest %")
        ", round(avg(loss), 4) AS loss "
        "FROM r JOIN epoch ON run_id = r.id "
        "GROUP BY epoch",
    },
    {
        "speed",
        "epochs to come within one point of the last accuracy, mean over seeds, the fastest first",
        "WITH " KEYS ", " RUNS ", f AS (SELECT r.id AS id, point, acc, (SELECT min(epoch) "
        "FROM epoch "
        "WHERE run_id = r.id AND test_acc >= acc - 0.01) AS first "
        "FROM r) "
        "SELECT " LABEL ", n, format('%.1f', first) AS epochs, " PERCENT("acc", "test %") " "
        "FROM (SELECT max(id) AS id, count(*) AS n, avg(first) AS first, avg(acc) AS acc "
        "FROM f "
        "GROUP BY f.point) AS q JOIN run ON run.id = q.id "
        "ORDER BY q.first, q.acc DESC",
    },
    {
        "saturation",
        "crossbars after the last epoch: cells at a bound and stuck ones, by device, the "
        "fullest first",
        "WITH " RUNS " "
        "SELECT r.device AS device, r.scheme AS scheme, l.name AS layer, count(*) AS runs, "
        PERCENT("avg(saturated)", "at bound %") ", " PERCENT("max(saturated)", "most %") ", "
        PERCENT("avg(stuck)", "stuck %") ", format('%.2f', 1e6 * avg(g_mean)) AS \"G uS\" "
        "FROM r JOIN layer_epoch AS l ON l.run_id = r.id AND l.epoch = (SELECT max(epoch) "
        "FROM epoch "
        "WHERE run_id = r.id) "
        "WHERE saturated IS NOT NULL "
        "GROUP BY 1, 2, 3 "
        "ORDER BY avg(saturated) DESC",
    },
    {
        "overfit",
        "training minus test accuracy of every grid point, the largest first",
        "WITH " KEYS ", " RUNS
        ", q AS (SELECT max(r.id) AS id, count(*) AS n, avg(train_acc) AS train, avg(acc) AS acc "
        "FROM r JOIN run ON run.id = r.id "
        "GROUP BY point) "
        "SELECT " LABEL ", n, " PERCENT("train", "train %") ", " PERCENT("acc", "test %") ", "
        PERCENT("train - acc", "gap %") " "
        "FROM q JOIN run ON run.id = q.id "
        "ORDER BY train - acc DESC",
    },
    {
        "failures",
        "runs that did not complete, and why",
        "SELECT run.id AS run, run.name AS name, status, epochs_done AS epochs, "
        "coalesce(error, '') AS why "
        "FROM study_run AS s JOIN run ON run.id = s.run_id "
        "WHERE s.study = ?1 AND status <> 'completed' "
        "ORDER BY status, run.id",
    },
    {
        "time",
        "where the computing time went, by device and scheme",
        "WITH " RUNS " "
        "SELECT device, scheme, count(*) AS runs, format('%.2f', avg(wall_s)) AS \"mean s\", "
        "format('%.2f', max(wall_s)) AS \"longest s\", format('%.1f', sum(wall_s)) AS \"all s\" "
        "FROM r "
        "GROUP BY 1, 2 "
        "ORDER BY sum(wall_s) DESC",
    },
    {
        "cosim",
        "circuit checks of the study's runs, the largest difference first",
        "SELECT run.name AS name, what, quantity, n, format('%.3g', max_rel) AS \"largest "
        "difference\", place, format('%.3g', tolerance) AS tolerance, CASE pass WHEN 1 THEN "
        "'pass' ELSE 'FAIL' END AS result "
        "FROM study_run AS s JOIN cosim USING (run_id) JOIN run ON run.id = s.run_id "
        "WHERE s.study = ?1 "
        "ORDER BY max_rel DESC",
    },
};
/* clang-format on */

int mho_store_named_count(void) {
  return MHO_COUNT(named);
}

const mho_named_query *mho_store_named_at(int i) {
  return i >= 0 && i < MHO_COUNT(named) ? &named[i] : NULL;
}

const mho_named_query *mho_store_named_find(const char *name) {
  for (int i = 0; i < MHO_COUNT(named); i++)
    if (!strcmp(named[i].name, name))
      return &named[i];
  return NULL;
}

static bool take_name(void *user, int n, const char *const *names, const mho_cell *c) {
  char *out = user;
  if (c && c[0].type == MHO_CELL_TEXT)
    mho_text_append(out, MHO_STUDY_NAME_MAX, "%s%s", *out ? ", " : "", c[0].text);
  return true;
}

mho_err mho_store_study_find(mho_store *s, const char *ref, char name[MHO_STUDY_NAME_MAX],
                             mho_errinfo *ei) {
  char all[MHO_STUDY_NAME_MAX] = "";
  *name = 0;

  mho_err err = ref ? mho_store_query(s, "SELECT name FROM study WHERE name = ?1", 1, &ref, 0,
                                      take_name, name, ei)
                    : mho_store_query(s, "SELECT name FROM study ORDER BY created DESC LIMIT 1", 0,
                                      NULL, 0, take_name, name, ei);
  if (err || *name)
    return err;

  err = mho_store_query(s, "SELECT name FROM study ORDER BY created DESC LIMIT 8", 0, NULL, 0,
                        take_name, all, ei);
  if (err)
    return err;

  if (!*all)
    return mho_fail(ei, MHO_ENOTFOUND, "there are no studies yet in '%s': mho sweep makes one",
                    s->path);
  return mho_fail(ei, MHO_ENOTFOUND, "there is no study '%s' in '%s'; there are: %s",
                  ref ? ref : "", s->path, all);
}
