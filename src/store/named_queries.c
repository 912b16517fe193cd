/* named_queries.c - the questions of a design study, each one statement about the study ?1.
 *
 * A grid point is the runs that differ in nothing but seeds. What the study varies is in its
 * config: vary (keys with their values) and points (keys only). test % is the test accuracy after
 * the last epoch, mean over seeds; of a study whose targets are values it is the test rms, and what
 * is called a score here is -rms, so that more is better.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store_impl.h"

#include <string.h>

/* The statements are broken by hand: a clause a line. */
/* clang-format off */

/* k: what the study varies, one key of those that are set together; of a section that takes one
 * word, such as rule, the key of the word, unless two of its values have one word */
#define KEYS \
  "w(pos, key, words) AS (SELECT v.key, json_extract(v.value, '$.keys[0]'), " \
  "(SELECT count(DISTINCT value) = count(*) FROM json_each(v.value, '$.values')) " \
  "FROM study, json_each(study.config, '$.vary') AS v " \
  "WHERE name = ?1 " \
  "UNION ALL " \
  "SELECT 100 + p.key, p.value, 1 " \
  "FROM study, json_each(study.config, '$.points') AS p " \
  "WHERE name = ?1), k(pos, key) AS (SELECT pos, key || CASE WHEN NOT words THEN '' WHEN key " \
  "IN ('dataset', 'dynamics', 'rule') THEN '.name' WHEN key IN ('device', 'array') THEN " \
  "'.model' WHEN key = 'settle' THEN '.method' ELSE '' END " \
  "FROM w)"

/* the completed runs, the newest of each config, by point */
#define RUNS \
  "r AS (SELECT run.id AS id, run.point_hash AS point, " RUN_SCORE " AS acc, pulses, " \
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
  "(SELECT group_concat(CASE WHEN key LIKE '%.name' THEN replace(key, '.name', '') ELSE " \
  "substr(key, instr(key, '.') + 1) END || '=' || " \
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

/* A study is judged by its accuracies ... */
#define RUN_SCORE "final_test_acc"
#define EPOCH_SCORE "test_acc"
#define NEAR_LAST "acc - 0.01"
#define SCORE(x, name) PERCENT(x, name " %")
#define SPREAD(x, name) PERCENT(x, name " %")
#define LEAST(x) PERCENT("min(" x ")", "least %")
#define GREATEST(x) PERCENT("max(" x ")", "greatest %")
#define OVERFIT \
  { \
    "overfit", \
    "training minus test accuracy of every grid point, the largest first", \
    "WITH " KEYS ", " RUNS \
    ", q AS (SELECT max(r.id) AS id, count(*) AS n, avg(train_acc) AS train, avg(acc) AS acc " \
    "FROM r JOIN run ON run.id = r.id " \
    "GROUP BY point) " \
    "SELECT " LABEL ", n, " PERCENT("train", "train %") ", " PERCENT("acc", "test %") ", " \
    PERCENT("train - acc", "gap %") " " \
    "FROM q JOIN run ON run.id = q.id " \
    "ORDER BY train - acc DESC", \
  }
static const mho_named_query named[] = {
#include "store/named_queries.inc"
};

/* ... or by the rms of its values. */
#undef RUN_SCORE
#undef EPOCH_SCORE
#undef NEAR_LAST
#undef SCORE
#undef SPREAD
#undef LEAST
#undef GREATEST
#undef OVERFIT
#define RUN_SCORE "-final_test_rms"
#define EPOCH_SCORE "-test_rms"
#define NEAR_LAST "1.05 * acc"
#define SCORE(x, name) "format('%.4g', -(" x ")) AS \"" name " rms\""
#define SPREAD(x, name) "format('%.2g', " x ") AS \"" name "\""
#define LEAST(x) SCORE("max(" x ")", "least")
#define GREATEST(x) SCORE("min(" x ")", "greatest")
#define OVERFIT \
  { \
    "overfit", \
    "test minus training loss of every grid point, the largest first", \
    "WITH " KEYS ", " RUNS \
    ", q AS (SELECT max(r.id) AS id, count(*) AS n, avg((SELECT loss FROM epoch " \
    "WHERE run_id = r.id ORDER BY epoch DESC LIMIT 1)) AS train, avg(final_test_loss) AS test " \
    "FROM r JOIN run ON run.id = r.id " \
    "GROUP BY point) " \
    "SELECT " LABEL ", n, format('%.4g', train) AS \"train loss\", " \
    "format('%.4g', test) AS \"test loss\", format('%.4g', test - train) AS gap " \
    "FROM q JOIN run ON run.id = q.id " \
    "ORDER BY test - train DESC", \
  }
static const mho_named_query of_values[] = {
#include "store/named_queries.inc"
};
_Static_assert(MHO_COUNT(named) == MHO_COUNT(of_values), "the questions are the same");
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

static bool take_count(void *user, int n, const char *const *names, const mho_cell *c) {
  if (c)
    *(bool *)user = c[0].i > 0;
  return true;
}

mho_err mho_store_study_has_values(mho_store *s, const char *study, bool *out, mho_errinfo *ei) {
  *out = false;
  return mho_store_query(
      s,
      "SELECT count(*) FROM study_run AS s JOIN run ON run.id = s.run_id "
      "WHERE s.study = ?1 AND final_test_rms IS NOT NULL AND final_test_acc IS NULL",
      1, &study, 0, take_count, out, ei);
}

mho_err mho_store_named_sql(mho_store *s, const mho_named_query *q, const char *study,
                            const char **sql, mho_errinfo *ei) {
  bool has_values;
  *sql = q->sql;
  mho_err err = mho_store_study_has_values(s, study, &has_values, ei);
  if (!err && has_values)
    *sql = of_values[q - named].sql;
  return err;
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
