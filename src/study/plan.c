/* plan.c - every run a study needs: its config's hash, whether the database has it, how long it may
 * take.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mho/model/check.h"
#include "study/study_impl.h"

enum { KEY_MAX = 160, DATASETS_MAX = 16, MORE_SPEEDS = 256 };

const char *mho_plan_state_word(mho_plan_state state) {
  static const char *const words[MHO_PLAN_STATES] = {"new",      "resume",  "done",
                                                     "diverged", "stopped", "failed"};
  return words[state];
}

void mho_plan_free(mho_plan *p) {
  for (int i = 0; i < p->n; i++)
    free(p->run[i].label);
  free(p->run);
  free(p->idle);
  *p = (mho_plan){0};
}

/* A hash needs the data's checksum, which needs the data: each dataset is loaded once. */
typedef struct checksum {
  const mho_entry *kind;
  char path[MHO_TEXT_MAX], hex[65];
} checksum;

/* A run of the plan with what only planning needs. */
typedef struct planned {
  int epochs;
  char alike[KEY_MAX]; /* what makes runs alike in speed; "" without a database */
} planned;

/* Wall times of the completed runs of a point. */
typedef struct point_time {
  double sum; /* s */
  int n;
} point_time;

typedef struct planner {
  const mho_study *s;
  const mho_registry *r;
  mho_store *store; /* nullable */
  double *samples;
  int n_data;
  checksum data[DATASETS_MAX];
  mho_plan *out;
  planned *planned;  /* beside out->run */
  point_time *point; /* [points] */
} planner;

/* ---------------------------------------------------------------- data */

static const checksum *find_checksum(const planner *p, const mho_experiment *e) {
  for (int i = 0; i < p->n_data; i++)
    if (p->data[i].kind == e->dataset.entry && !strcmp(p->data[i].path, e->dataset_config.path))
      return &p->data[i];
  return NULL;
}

static mho_err checksum_of(planner *p, const mho_experiment *e, const char **hex, mho_errinfo *ei) {
  const checksum *known = find_checksum(p, e);
  if (known) {
    *hex = known->hex;
    return MHO_OK;
  }

  if (p->n_data == DATASETS_MAX)
    return mho_fail_at(ei, MHO_ECONFIG, p->s->file, 0, "more than %d datasets in one study",
                       DATASETS_MAX);

  mho_dataset d;
  mho_err err = mho_dataset_load((const mho_dataset_kind *)e->dataset.entry, e->dataset.params,
                                 &e->dataset_config, &d, ei);
  if (err)
    return err;

  checksum *c = &p->data[p->n_data++];
  c->kind = e->dataset.entry;
  snprintf(c->path, sizeof c->path, "%s", e->dataset_config.path);
  snprintf(c->hex, sizeof c->hex, "%s", d.checksum);
  mho_dataset_free(&d);
  *hex = c->hex;
  return MHO_OK;
}

/* ---------------------------------------------------------------- runs that are there */

typedef struct stored {
  mho_plan_run *run;
  double wall_s;
} stored;

static mho_plan_state state_of(const char *status, bool stopped_early) {
  if (!strcmp(status, "completed"))
    return MHO_PLAN_DONE;
  if (!strcmp(status, "diverged"))
    return MHO_PLAN_DIVERGED;
  if (!strcmp(status, "failed"))
    return MHO_PLAN_FAILED;
  return stopped_early ? MHO_PLAN_STOPPED : MHO_PLAN_RESUME;
}

/* The best of the runs with a hash comes first: ended ones, then the newest. */
static bool take_stored(void *user, int n, const char *const *names, const mho_cell *c) {
  stored *s = user;
  if (!c)
    return true;
  snprintf(s->run->id, sizeof s->run->id, "%s", c[0].text);
  s->run->state = state_of(c[1].text, c[3].i != 0);
  s->wall_s = c[2].type == MHO_CELL_REAL ? c[2].d : (double)NAN;
  return false;
}

static mho_err look_up(planner *p, mho_plan_run *run, mho_errinfo *ei) {
  static const char sql[] =
      "SELECT id, status, wall_s, coalesce(error, '') LIKE 'stopped early%' FROM run "
      "WHERE config_hash = ?1 ORDER BY CASE status WHEN 'completed' THEN 0 WHEN 'diverged' "
      "THEN 1 WHEN 'running' THEN 2 WHEN 'interrupted' THEN 3 ELSE 4 END, id DESC";
  const char *hash = run->hash;
  stored s = {.run = run};
  mho_err err = mho_store_query(p->store, sql, 1, &hash, 0, take_stored, &s, ei);

  if (!err && run->state == MHO_PLAN_DONE && s.wall_s >= 0) {
    p->point[run->point].sum += s.wall_s;
    p->point[run->point].n++;
  }

  return err;
}

/* ---------------------------------------------------------------- how long */

/* Seconds an epoch of runs that are alike. */
typedef struct speed {
  char alike[KEY_MAX];
  double s;
} speed;

typedef struct speeds {
  int n, capacity;
  speed *at;
} speeds;

/* What makes runs alike. */
#define ALIKE                                                                                      \
  "'$.dataset.name', '$.dataset.train', '$.network.topology', '$.network.hidden', "                \
  "'$.settle.method', '$.settle.free', '$.rule.name', '$.update.scheme', '$.device.model', "       \
  "'$.train.batch'"

static bool take_speed(void *user, int n, const char *const *names, const mho_cell *c) {
  speeds *s = user;
  if (!c || c[0].type != MHO_CELL_TEXT || c[1].type != MHO_CELL_REAL)
    return true;

  if (s->n == s->capacity) {
    speed *grown = realloc(s->at, (size_t)(s->capacity + MORE_SPEEDS) * sizeof *grown);
    if (!grown)
      return false;
    s->at = grown;
    s->capacity += MORE_SPEEDS;
  }

  speed *added = &s->at[s->n++];
  snprintf(added->alike, sizeof added->alike, "%s", c[0].text);
  added->s = c[1].d;
  return true;
}

static int by_alike(const void *a, const void *b) {
  return strcmp(((const speed *)a)->alike, ((const speed *)b)->alike);
}

static bool take_alike(void *user, int n, const char *const *names, const mho_cell *c) {
  planned *p = user;
  if (c && c[0].type == MHO_CELL_TEXT)
    snprintf(p->alike, sizeof p->alike, "%s", c[0].text);
  return true;
}

/* Seconds of a run, NaN when nothing is known. */
static double predict_run(const planner *p, int i, const speeds *known) {
  const point_time *t = &p->point[p->out->run[i].point];
  if (t->n)
    return t->sum / t->n;
  if (!known->n)
    return NAN;

  speed wanted;
  memcpy(wanted.alike, p->planned[i].alike, sizeof wanted.alike);
  const speed *found = bsearch(&wanted, known->at, (size_t)known->n, sizeof *known->at, by_alike);
  return found ? found->s * p->planned[i].epochs : (double)NAN;
}

/* By the other seeds of the point, else by stored runs of the same kind; newest 2000 of them. */
static mho_err predict(planner *p, mho_errinfo *ei) {
  static const char sql[] =
      "SELECT json_extract(config, " ALIKE ") AS k, avg(wall_s / epochs_done) "
      "FROM (SELECT config, wall_s, epochs_done FROM run WHERE epochs_done > 0 AND wall_s > 0 "
      "ORDER BY started DESC, id DESC LIMIT 2000) GROUP BY k";
  speeds known = {0};
  mho_err err = mho_store_query(p->store, sql, 0, NULL, 0, take_speed, &known, ei);

  if (known.n)
    qsort(known.at, (size_t)known.n, sizeof *known.at, by_alike);

  if (!err)
    for (int i = 0; i < p->out->n; i++)
      p->out->run[i].predicted_s = predict_run(p, i, &known);
  free(known.at);
  return err;
}

/* ---------------------------------------------------------------- the runs */

/* What makes the run like others, as the database would say it. */
static mho_err find_alike(const planner *p, const mho_experiment *e, planned *out,
                          mho_errinfo *ei) {
  static const char sql[] = "SELECT json_extract(?1, " ALIKE ")";
  char *json = mho_experiment_json(e);
  const char *arg = json;
  if (!json)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a config");
  mho_err err = mho_store_query(p->store, sql, 1, &arg, 0, take_alike, out, ei);
  free(json);
  return err;
}

/* A plan that keys without effect are added to. */
typedef struct idle_keys {
  mho_plan *plan;
  bool no_memory;
} idle_keys;

static mho_plan_idle *find_idle(const mho_plan *p, const char *key) {
  for (int i = 0; i < p->n_idle; i++)
    if (!strcmp(p->idle[i].key, key))
      return &p->idle[i];
  return NULL;
}

/* One run more in which a key has no effect. */
static void count_idle(void *user, const mho_idle_key *k) {
  idle_keys *keys = user;
  mho_plan *p = keys->plan;
  mho_plan_idle *known = find_idle(p, k->key);
  if (known) {
    known->runs++;
    return;
  }

  mho_plan_idle *grown = realloc(p->idle, (size_t)(p->n_idle + 1) * sizeof *grown);
  if (!grown) {
    keys->no_memory = true;
    return;
  }
  p->idle = grown;
  mho_plan_idle *added = &p->idle[p->n_idle++];
  added->runs = 1;
  snprintf(added->key, sizeof added->key, "%s", k->key);
  snprintf(added->why, sizeof added->why, "%s", k->why);
}

/* What a run sets without effect. */
static mho_err add_idle(const planner *p, const mho_experiment *e, const mho_config *c,
                        mho_errinfo *ei) {
  idle_keys keys = {.plan = p->out};
  mho_err err = mho_experiment_idle(e, c, count_idle, &keys, ei);
  if (!err && keys.no_memory)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the plan");
  return err;
}

/* One run at the end of the plan, of an experiment. */
static mho_err append_run(planner *p, int point, const char *label, const mho_experiment *e,
                          mho_errinfo *ei) {
  const char *hex = NULL;
  mho_err err = checksum_of(p, e, &hex, ei);
  if (err)
    return err;
  char *copy = strdup(label);
  if (!copy)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the plan");

  int i = p->out->n++;
  mho_plan_run *run = &p->out->run[i];
  *run = (mho_plan_run){.point = point, .seed = e->train.seed, .label = copy, .predicted_s = NAN};
  err = mho_experiment_hash(e, hex, run->hash, ei);
  if (err)
    return err;

  snprintf(run->data_checksum, sizeof run->data_checksum, "%s", hex);
  p->planned[i].epochs = (int)e->train.epochs;
  return p->store ? find_alike(p, e, &p->planned[i], ei) : MHO_OK;
}

static mho_err add_run(planner *p, int point, int64_t seed, mho_errinfo *ei) {
  mho_config *c = NULL;
  mho_experiment *e = NULL;
  char label[512];
  mho_err err = mho__study_point_config(p->s, p->samples, point, seed, &c, label, sizeof label, ei);
  if (!err)
    err = mho_experiment_new(p->r, c, false, &e, ei);
  if (!err)
    err = append_run(p, point, label, e, ei);
  if (!err)
    err = add_idle(p, e, c, ei);
  mho_experiment_free(e);
  mho_config_free(c);
  return err;
}

static mho_err add_all(planner *p, mho_errinfo *ei) {
  const mho_study *s = p->s;
  for (int i = 0; i < p->out->n_points; i++)
    for (int k = 0; k < mho_max(s->n_seeds, 1); k++) {
      mho_err err = add_run(p, i, s->n_seeds ? s->seed[k] : -1, ei);
      if (err)
        return err;
    }
  return MHO_OK;
}

/* ---------------------------------------------------------------- repeated runs */

typedef struct hashed {
  char hash[65];
  bool used;
} hashed;

static int by_hash(const void *a, const void *b) {
  return strcmp(((const hashed *)a)->hash, ((const hashed *)b)->hash);
}

/* The first of those with a hash, which is among them. */
static hashed *find_first(hashed *seen, int n, const char *hash) {
  hashed wanted;
  snprintf(wanted.hash, sizeof wanted.hash, "%s", hash);
  hashed *found = bsearch(&wanted, seen, (size_t)n, sizeof *seen, by_hash);
  while (found > seen && !strcmp(found[-1].hash, hash))
    found--;
  return found;
}

/* Leave out the later ones of runs with the same hash. */
static mho_err drop_repeated(planner *p, mho_errinfo *ei) {
  mho_plan *out = p->out;
  hashed *seen = calloc((size_t)mho_max(out->n, 1), sizeof *seen);
  if (!seen)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the plan");

  for (int i = 0; i < out->n; i++)
    memcpy(seen[i].hash, out->run[i].hash, sizeof seen->hash);
  qsort(seen, (size_t)out->n, sizeof *seen, by_hash);

  int left = 0;
  for (int i = 0; i < out->n; i++) {
    hashed *first = find_first(seen, out->n, out->run[i].hash);
    if (first->used) {
      free(out->run[i].label);
      continue;
    }
    first->used = true;
    out->run[left] = out->run[i];
    p->planned[left] = p->planned[i];
    left++;
  }

  out->repeated = out->n - left;
  out->n = left;
  free(seen);
  return MHO_OK;
}

/* ---------------------------------------------------------------- the plan */

static mho_err look_up_all(planner *p, mho_errinfo *ei) {
  for (int i = 0; i < p->out->n; i++) {
    mho_err err = look_up(p, &p->out->run[i], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

static mho_err fill(planner *p, mho_errinfo *ei) {
  mho_err err = add_all(p, ei);
  if (!err)
    err = drop_repeated(p, ei);
  if (!err && p->store)
    err = look_up_all(p, ei);
  if (!err && p->store)
    err = predict(p, ei);
  return err;
}

mho_err mho_study_plan(const mho_study *s, const mho_registry *r, mho_store *store, mho_plan *out,
                       mho_errinfo *ei) {
  *out = (mho_plan){.n_points = (int)mho__study_points(s)};
  size_t points = (size_t)out->n_points, most = points * (size_t)mho_max(s->n_seeds, 1);
  planner p = {.s = s, .r = r, .store = store, .out = out};
  mho_err err = mho__study_samples(s, &p.samples, ei);
  if (err)
    return err;

  out->run = calloc(most, sizeof *out->run);
  p.planned = calloc(most, sizeof *p.planned);
  p.point = calloc(points, sizeof *p.point);
  if (out->run && p.planned && p.point)
    err = fill(&p, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a plan of %zu runs", most);

  free(p.point);
  free(p.planned);
  free(p.samples);
  if (err)
    mho_plan_free(out);
  return err;
}
