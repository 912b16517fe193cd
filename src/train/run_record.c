/* run_record.c - what the database says of a run and of its connections.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/run_record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mho/model/num.h"

void mho__run_texts_free(mho_run_texts *texts) {
  free(texts->config);
  texts->config = NULL;
}

mho_err mho__run_record(const mho_trainer *t, const char *code_version, const char *kind,
                        mho_run_texts *texts, mho_run_row *out, mho_errinfo *ei) {
  const mho_experiment *e = t->e;
  const char *code = code_version ? code_version : MHO_VERSION;
  char hashed[160];

  *texts = (mho_run_texts){.config = mho_experiment_json(e)};
  if (!texts->config)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the config");

  snprintf(hashed, sizeof hashed, "%s%s%s", t->data.checksum, kind ? " " : "", kind ? kind : "");
  mho_err err = mho_experiment_hash(e, hashed, texts->hash, ei);
  if (err)
    return err;
  gethostname(texts->host, sizeof texts->host - 1);

  *out = (mho_run_row){.config = texts->config,
                       .config_hash = texts->hash,
                       .defaults_version = MHO_DEFAULTS_VERSION,
                       .seed = e->train.seed,
                       .data_checksum = (char *)(uintptr_t)t->data.checksum,
                       .code_version = (char *)(uintptr_t)code,
                       .blas = (char *)(uintptr_t)mho_blas_kernel(),
                       .host = texts->host,
                       .pid = getpid(),
                       .final_test_acc = NAN,
                       .best_test_acc = NAN,
                       .train_acc = NAN,
                       .val_acc = NAN,
                       .final_test_loss = NAN,
                       .best_test_loss = NAN,
                       .val_loss = NAN,
                       .final_test_rms = NAN,
                       .best_test_rms = NAN,
                       .energy_j = NAN,
                       .kind = (char *)(uintptr_t)kind};
  mho_store_new_id(out->id);
  return MHO_OK;
}

/* The counts of conductances as a JSON list; "" without devices. */
static void write_histogram(const mho_crossbar *x, const mho_crossbar_stats *s, char *out,
                            size_t capacity) {
  if (!mho_crossbar_has_cells(x))
    return;
  for (int b = 0; b < MHO_G_BINS; b++)
    mho_text_append(out, capacity, "%c%lld", b ? ',' : '[', (long long)s->g_hist[b]);
  mho_text_append(out, capacity, "]");
}

/* Mean and spread of the factors of the neurons that a connection leads into. */
static void write_importance(const mho_trainer *t, const mho_connection *k, mho_layer_row *row) {
  const mho_importance *p = t->learner->importance;
  double sum = 0, squares = 0, n = t->net->layer[k->to].n;
  row->importance_mean = row->importance_std = NAN;
  if (!p || !p->valid || !mho__importance_counts(t->net, k))
    return;

  for (int j = 0; j < (int)n; j++)
    sum += (double)p->factor[k->to][j] / n;
  for (int j = 0; j < (int)n; j++)
    squares += pow((double)p->factor[k->to][j] - sum, 2) / n;
  row->importance_mean = sum;
  row->importance_std = sqrt(squares);
}

mho_layer_row *mho__trainer_layers(const mho_trainer *t, int *n) {
  mho_layer_row *layers = mho_alloc((size_t)t->net->n_connections, sizeof *layers);
  *n = 0;
  if (!layers)
    return NULL;

  for (int c = 0; c < t->net->n_connections; c++) {
    const mho_connection *k = &t->net->connection[c];
    if (!k->trained && k->role != MHO_CONTROL)
      continue;

    mho_crossbar_stats s = mho_crossbar_statistics(k->xb);
    mho_layer_row *row = &layers[*n];
    *row = (mho_layer_row){.layer = (*n)++,
                           .name = k->name,
                           .rows = k->xb->rows,
                           .cols = k->xb->cols,
                           .w_mean = s.w_mean,
                           .w_std = s.w_std,
                           .w_absmax = s.w_absmax,
                           .g_mean = s.g_mean,
                           .g_std = s.g_std,
                           .saturated = s.saturated,
                           .stuck = s.stuck,
                           .pulses = k->trained ? t->at.pulses[c] : 0,
                           .cosine = NAN,
                           .w_range = mho_crossbar_w_max(k->xb),
                           .w_error = NAN,
                           .clipped = NAN};
    write_importance(t, k, row);
    write_histogram(k->xb, &s, row->g_hist, sizeof row->g_hist);
  }
  return layers;
}

/* Rows of the answers y, [samples x values]. */
static mho_prediction_row *rows_of(const mho_trainer *t, int samples, const mho_real *y) {
  int values = t->data.values, n = samples * values;
  mho_prediction_row *rows = mho_alloc((size_t)n, sizeof *rows);
  if (!rows)
    return NULL;

  for (int i = 0; i < n; i++)
    rows[i] = (mho_prediction_row){.sample = i / values,
                                   .value = i % values,
                                   .target = t->data.test.target[i],
                                   .answer = mho_dataset_value(&t->data, i % values, (double)y[i])};
  return rows;
}

mho_err mho__trainer_predictions(mho_trainer *t, mho_prediction_row **out, int *n,
                                 mho_errinfo *ei) {
  int values = t->data.values;
  *out = NULL;
  *n = 0;
  if (!values)
    return MHO_OK;

  int samples = mho_min(t->data.test.n, mho_max(MHO_PREDICTIONS_MAX / values, 1));
  mho_real *x = mho_alloc((size_t)samples * (size_t)t->data.features, sizeof *x);
  mho_real *y = mho_alloc((size_t)samples * (size_t)values, sizeof *y);
  mho_err err = MHO_OK;
  if (x && y) {
    mho_images_batch(&t->data, &t->data.test, NULL, 0, samples, x, NULL);
    err = mho_trainer_predict(t, samples, x, y, ei);
    *out = err ? NULL : rows_of(t, samples, y);
  }
  if (!err && !*out)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the answers to %d samples", samples);
  *n = samples * values;

  mho_free(x);
  mho_free(y);
  return err;
}
