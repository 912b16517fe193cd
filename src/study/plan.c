/* plan.c - every run a study needs: its config's hash, whether the database has it, how long it may take.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "study/study_impl.h"

const char *mho_plan_state_word(mho_plan_state state) {
  static const char *const words[MHO_PLAN_STATES] = {"new",      "resume",  "done",
                                                     "diverged", "stopped", "failed"};
  return words[state];
}

void mho_plan_free(mho_plan *p) {
  for (int i = 0; i < p->n; i++)
    free(p->run[i].label);
  free(p->run);
  *p = (mho_plan){0};
}

/* ---------------------------------------------------------------- data */

/* A hash needs the data's checksum, which needs the data: each dataset is loaded once. */
typedef struct checksum {
  const mho_entry *kind;
  char path[MHO_TEXT_MAX], hex[65];
} checksum;

typedef struct planner {
  const mho_study *s;
  const mho_registry *r;
  double *samples;
  int n_data;
  checksum data[16];
  mho_store *store;
  mho_plan *out;
  double *point_wall; /* [points] sum of the wall times of completed runs */
  int *point_n;
  char (*similar)[160]; /* [n] keys of what makes runs alike, in the plan's order */
} planner;

static mho_err checksum_of(planner *p, const mho_experiment *e, const char **hex, mho_errinfo *ei) {
  for (int i = 0; i < p->n_data; i++)
    if (p->data[i].kind == e->dataset.entry && !strcmp(p->data[i].path, e->dataset_config.path)) {
      *hex = p->data[i].hex;
      return MHO_OK;
    }
  if (p->n_data == MHO_COUNT(p->data))
    return mho_fail_at(ei, MHO_ECONFIG, p->s->file, 0, "more than %d datasets in one study",
                       MHO_COUNT(p->data));
  mho_dataset d;
  mho_err err =
      mho_dataset_load((const mho_dataset_kind *)e->dataset.entry, &e->dataset_config, &d, ei);
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

/* The best of the runs with a hash comes first: ended ones, then the newest. */
static bool take_stored(void *user, int n, const char *const *names, const mho_cell *c) {
  stored *s = user;
  if (!c)
    return true;
  const char *status = c[1].text;
  snprintf(s->run->id, sizeof s->run->id, "%s", c[0].text);
  s->wall_s = c[2].type == MHO_CELL_REAL ? c[2].d : (double)NAN;
  s->run->state = !strcmp(status, "completed")  ? MHO_PLAN_DONE
                  : !strcmp(status, "diverged") ? MHO_PLAN_DIVERGED
                  : !strcmp(status, "failed")   ? MHO_PLAN_FAILED
                  : c[3].i                      ? MHO_PLAN_STOPPED
                                                : MHO_PLAN_RESUME;
  return false;
}

static mho_err look_up(planner *p, mho_plan_run *run, mho_errinfo *ei) {
  const char *hash = run->hash;
  stored s = {.run = run};
  mho_err err = mho_store_query(
      p->store,
      "SELECT id, status, wall_s, coalesce(error, '') LIKE 'stopped early%' FROM run "
      "WHERE config_hash = ?1 ORDER BY CASE status WHEN 'completed' THEN 0 WHEN 'diverged' "
      "THEN 1 WHEN 'running' THEN 2 WHEN 'interrupted' THEN 3 ELSE 4 END, id DESC",
      1, &hash, 0, take_stored, &s, ei);
  if (!err && run->state == MHO_PLAN_DONE && s.wall_s >= 0) {
    p->point_wall[run->point] += s.wall_s;
    p->point_n[run->point]++;
  }
  return err;
}

/* ---------------------------------------------------------------- how long */

/* Runs of the same kind, whatever else: seconds an epoch. */
typedef struct speed {
  char key[160];
  double s;
} speed;
typedef struct speeds {
  int n, capacity;
  speed *at;
} speeds;

#define ALIKE(config)                                                                              \
  "json_extract(" config                                                                           \
  ", '$.dataset.name', '$.dataset.train', '$.network.topology', '$.network.hidden', "              \
  "'$.settle.method', '$.settle.free', '$.rule.name', '$.update.scheme', '$.device.model', '$.train.batch')"

static bool take_speed(void *user, int n, const char *const *names, const mho_cell *c) {
  speeds *s = user;
  if (!c || c[0].type != MHO_CELL_TEXT || c[1].type != MHO_CELL_REAL)
    return true;
  if (s->n == s->capacity) {
    speed *grown = realloc(s->at, (size_t)(s->capacity + 256) * sizeof *grown);
    if (!grown)
      return false;
    s->at = grown;
    s->capacity += 256;
  }
  snprintf(s->at[s->n].key, sizeof s->at->key, "%s", c[0].text);
  s->at[s->n++].s = c[1].d;
  return true;
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const speed *)a)->key, ((const speed *)b)->key);
}

static bool take_text(void *user, int n, const char *const *names, const mho_cell *c) {
  if (c && c[0].type == MHO_CELL_TEXT)
    snprintf(user, 160, "%s", c[0].text);
  return true;
}

/* By the other seeds of the point, else by stored runs of the same kind; newest 2000 of them. */
static mho_err predict(planner *p, const int *epochs, mho_errinfo *ei) {
  speeds known = {0};
  mho_err err = mho_store_query(
      p->store,
      "SELECT " ALIKE("config") " AS k, avg(wall_s / epochs_done) FROM (SELECT config, "
                                "wall_s, epochs_done FROM run WHERE epochs_done > 0 AND wall_s > 0 "
                                "ORDER BY started DESC, id DESC LIMIT 2000) GROUP BY k",
      0, NULL, 0, take_speed, &known, ei);
  if (known.n)
    qsort(known.at, (size_t)known.n, sizeof *known.at, by_key);
  for (int i = 0; i < p->out->n && !err; i++) {
    mho_plan_run *r = &p->out->run[i];
    if (p->point_n[r->point]) {
      r->predicted_s = p->point_wall[r->point] / p->point_n[r->point];
      continue;
    }
    speed wanted = {.s = 0}, *found = NULL;
    snprintf(wanted.key, sizeof wanted.key, "%s", p->similar[i]);
    if (known.n)
      found = bsearch(&wanted, known.at, (size_t)known.n, sizeof *known.at, by_key);
    if (found)
      r->predicted_s = found->s * epochs[i];
  }
  free(known.at);
  return err;
}

/* ---------------------------------------------------------------- the plan */

typedef struct hashed {
  char hash[65];
} hashed;
static int by_hash(const void *a, const void *b) {
  return strcmp(((const hashed *)a)->hash, ((const hashed *)b)->hash);
}

/* One run at the end of the plan. */
static mho_err add_run(planner *p, int point, int64_t seed, int *epochs, mho_errinfo *ei) {
  mho_plan_run *run = &p->out->run[p->out->n];
  mho_config *c = NULL;
  mho_experiment *e = NULL;
  char label[512];
  const char *hex = NULL;
  *run = (mho_plan_run){.point = point, .predicted_s = NAN};
  mho_err err = study_point_config(p->s, p->samples, point, seed, &c, label, sizeof label, ei);
  if (!err)
    err = mho_experiment_new(p->r, c, false, &e, ei);
  if (!err)
    err = checksum_of(p, e, &hex, ei);
  if (!err && !(run->label = strdup(label)))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the plan");
  if (!err) {
    mho_experiment_hash(e, hex, run->hash);
    snprintf(run->data_checksum, sizeof run->data_checksum, "%s", hex);
    run->seed = e->train.seed;
    epochs[p->out->n] = (int)e->train.epochs;
    p->out->n++;
  }
  if (!err && p->store) {
    char *json = mho_experiment_json(e);
    const char *arg = json;
    err = json ? mho_store_query(p->store, "SELECT " ALIKE("?1"), 1, &arg, 0, take_text,
                                 p->similar[p->out->n - 1], ei)
               : mho_fail(ei, MHO_ENOMEM, "no memory for a config");
    free(json);
  }
  mho_experiment_free(e);
  mho_config_free(c);
  return err;
}

/* Leave out the later ones of runs with the same hash. */
static mho_err drop_repeated(planner *p, int *epochs, mho_errinfo *ei) {
  mho_plan *out = p->out;
  hashed *seen = calloc((size_t)(out->n ? out->n : 1), sizeof *seen);
  bool *used = calloc((size_t)(out->n ? out->n : 1), sizeof *used);
  if (!seen || !used) {
    free(seen);
    free(used);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the plan");
  }
  for (int i = 0; i < out->n; i++)
    memcpy(seen[i].hash, out->run[i].hash, sizeof seen->hash);
  qsort(seen, (size_t)out->n, sizeof *seen, by_hash);
  int kept = 0;
  for (int i = 0; i < out->n; i++) {
    hashed h, *found;
    memcpy(h.hash, out->run[i].hash, sizeof h.hash);
    found = bsearch(&h, seen, (size_t)out->n, sizeof *seen, by_hash);
    while (found > seen && !strcmp(found[-1].hash, h.hash))
      found--;
    if (used[found - seen]) {
      free(out->run[i].label);
      continue;
    }
    used[found - seen] = true;
    out->run[kept] = out->run[i];
    memmove(p->similar[kept], p->similar[i], sizeof *p->similar);
    epochs[kept++] = epochs[i];
  }
  out->repeated = out->n - kept;
  out->n = kept;
  free(seen);
  free(used);
  return MHO_OK;
}

static mho_err fill(planner *p, int *epochs, mho_errinfo *ei) {
  const mho_study *s = p->s;
  mho_err err = MHO_OK;
  for (int i = 0; i < p->out->n_points && !err; i++)
    for (int k = 0; k < (s->n_seeds ? s->n_seeds : 1) && !err; k++)
      err = add_run(p, i, s->n_seeds ? s->seed[k] : -1, epochs, ei);
  if (!err)
    err = drop_repeated(p, epochs, ei);
  for (int i = 0; i < p->out->n && !err && p->store; i++)
    err = look_up(p, &p->out->run[i], ei);
  if (!err && p->store)
    err = predict(p, epochs, ei);
  return err;
}

mho_err mho_study_plan(const mho_study *s, const mho_registry *r, mho_store *store, mho_plan *out,
                       mho_errinfo *ei) {
  *out = (mho_plan){.n_points = (int)study_points(s)};
  size_t most = (size_t)out->n_points * (size_t)(s->n_seeds ? s->n_seeds : 1);
  planner p = {.s = s, .r = r, .store = store, .out = out};
  mho_err err = study_samples(s, &p.samples, ei);
  if (err)
    return err;
  out->run = calloc(most, sizeof *out->run);
  p.point_wall = calloc((size_t)out->n_points, sizeof *p.point_wall);
  p.point_n = calloc((size_t)out->n_points, sizeof *p.point_n);
  p.similar = calloc(most, sizeof *p.similar);
  int *epochs = calloc(most, sizeof *epochs);
  err = out->run && p.point_wall && p.point_n && p.similar && epochs
            ? fill(&p, epochs, ei)
            : mho_fail(ei, MHO_ENOMEM, "no memory for a plan of %zu runs", most);
  free(epochs);
  free(p.similar);
  free(p.point_n);
  free(p.point_wall);
  free(p.samples);
  if (err)
    mho_plan_free(out);
  return err;
}
