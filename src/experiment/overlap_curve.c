/* overlap_curve.c - what the waveforms of two spikes do to a device, against the time between them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "experiment/config_file.h"
#include "experiment/overlap_curve.h"
#include "mho/model/check.h"

/* ---------------------------------------------------------------- the file */

typedef struct waves {
  char row[MHO_TEXT_MAX], column[MHO_TEXT_MAX];
  double from, to;
  int64_t points;
} waves;

static const mho_param table[] = {
    MHO_P_TEXT(waves, row, "row", "", "voltage of the row since its spike"),
    MHO_P_TEXT(waves, column, "column", "", "voltage of the column since its spike"),
    MHO_P_REAL(waves, from, "from", "s", 0, -1e6, 1e6,
               "least time from the row's spike to the "
               "column's"),
    MHO_P_REAL(waves, to, "to", "s", 0, -1e6, 1e6, "and the largest"),
    MHO_P_INT(waves, points, "points", 101, 2, 100000, "from one to the other"),
};
static const mho_params wave_params = MHO_PARAMS(waves, table);

static mho_err unknown_key(const mho_config_key *key, mho_errinfo *ei) {
  char known[128] = "";
  for (int i = 0; i < MHO_COUNT(table); i++)
    mho_text_append(known, sizeof known, "%s%s", i ? ", " : "", table[i].name);
  return mho_fail_at(ei, MHO_ECONFIG, key->file, key->line,
                     "unknown key %s (known of waveforms: %s)", key->path, known);
}

static mho_err take_key(const mho_config_key *key, waves *w, mho_errinfo *ei) {
  mho_errinfo why = {0};
  const mho_param *p = mho_params_find(wave_params, key->path);
  if (!p)
    return unknown_key(key, ei);
  if (key->is_list && p->kind != MHO_PARAM_TEXT)
    return mho_fail_at(ei, MHO_ECONFIG, key->file, key->line, "%s: expected one value, not a list",
                       key->path);

  mho_err err = mho_param_parse(p, key->text, false, w, &why);
  return err ? mho_fail_at(ei, err, key->file, key->line, "%s: %s", key->path, why.message)
             : MHO_OK;
}

/* The waveform of a line; empty where the file has none. */
static mho_err take_line(const mho_config *c, const char *name, const char *text, mho_wave *out,
                         mho_errinfo *ei) {
  const mho_config_key *key = mho__config_find(c, name);
  mho_errinfo why = {0};
  mho_err err = mho__wave_parse(text, out, &why);
  if (err && key)
    return mho_fail_at(ei, err, key->file, key->line, "%s: %s", name, why.message);
  return err;
}

/* Where the waveforms meet, as far as the file does not say otherwise. */
static mho_err take_ends(const mho_config *c, const char *path, const mho_overlap *o, waves *w,
                         mho_errinfo *ei) {
  if (!mho__config_find(c, "from"))
    w->from = -mho__wave_end(&o->column);
  if (!mho__config_find(c, "to"))
    w->to = mho__wave_end(&o->row);

  if (o->row.n + o->column.n == 0)
    return mho_fail(ei, MHO_ECONFIG,
                    "%s: no line has a waveform: give row or column, as in 'row: 0.3 V for 10 us'",
                    path);
  if (!(w->from < w->to))
    return mho_fail(ei, MHO_ECONFIG, "%s: from (%g s) must be below to (%g s)", path, w->from,
                    w->to);
  return MHO_OK;
}

mho_err mho__waves_read(const char *path, mho_overlap *o, mho_differences *out, mho_errinfo *ei) {
  mho_config *c = NULL;
  waves w;
  mho_params_init(wave_params, &w);
  mho_err err = mho_config_load(path, 0, NULL, &c, ei);
  for (int i = 0; !err && i < c->n; i++)
    err = take_key(&c->key[i], &w, ei);

  if (!err)
    err = take_line(c, "row", w.row, &o->row, ei);
  if (!err)
    err = take_line(c, "column", w.column, &o->column, ei);
  if (!err)
    err = take_ends(c, path, o, &w, ei);
  *out = (mho_differences){.from = w.from, .to = w.to, .points = (int)w.points};
  mho_config_free(c);
  return err;
}

/* ---------------------------------------------------------------- the curve */

static mho_err follow(const mho_overlap *o, const mho_differences *w, mho_cells *cell,
                      mho_overlap_point *p, mho_errinfo *ei) {
  const mho_device_config *d = o->config;
  double siemens = d->g_max - d->g_min;
  for (int i = 0; i < w->points; i++) {
    mho_stretches felt;
    p[i].difference = w->from + (w->to - w->from) * i / (double)(w->points - 1);
    mho_err err = mho__overlap_pair(o, p[i].difference, &felt, ei);
    if (err)
      return err;
    p[i].before = d->g_min + siemens * d->start;
    p[i].after = d->g_min + siemens * mho__overlap_move(cell, &felt, d->start);
  }
  return MHO_OK;
}

mho_err mho_experiment_overlaps(const mho_experiment *e, const char *path,
                                mho_overlap_point **points, int *n, mho_errinfo *ei) {
  const mho_device_model *model = (const mho_device_model *)e->device.entry;
  mho_device_config mean = mho_device_mean(&e->device_config);
  mho_overlap o = {0};
  mho_cells *cell = NULL;
  mho_differences w;
  *points = NULL;
  *n = 0;
  if (!model->pulse)
    return mho_fail(ei, MHO_EINVAL, "'%s' knows no pulses: there is no curve", model->entry.id);
  if (mean.only_written)
    return mho_fail(ei, MHO_EINVAL,
                    "what pulses do to this device is not known (device.only_written): there is no "
                    "curve");

  mho_err err = mho__waves_read(path, &o, &w, ei);
  if (!err)
    err = mho_cells_new(model, e->device.params, &mean, 1, (mho_rng){0}, (mho_rng){0}, &cell, ei);
  if (err)
    return err;

  mho__overlap_device(&o, model, e->device.params, &mean);
  mho_overlap_point *p = mho_alloc((size_t)w.points, sizeof *p);
  if (p)
    err = follow(&o, &w, cell, p, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a curve of %d points", w.points);
  if (err) {
    mho_free(p);
  } else {
    *points = p;
    *n = w.points;
  }
  mho_cells_free(cell);
  return err;
}
