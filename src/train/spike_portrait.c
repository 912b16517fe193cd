/* spike_portrait.c - what the neurons of a network that spikes have become: the spikes of a sample,
 * rates, thresholds, votes and receptive fields.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/spike_portrait.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "settle/votes.h"
#include "train/trainer.h"

/* Images that rates are the mean of, spikes of a sample and fields that are kept. */
enum { IMAGES = 1000, SPIKES_MAX = 20000, FIELDS_MAX = 64 };

/* A portrait under way. */
typedef struct portrait {
  mho_trainer *t;
  FILE *out;
  mho_timing clock;
  int theta, spike;   /* variables of the dynamics */
  double **rate;      /* [n_layers] of [n], hidden layers: spikes a step */
  double **threshold; /* the same */
  int images;         /* that rates are the mean of */
  int step, spikes;   /* of the sample, as far as they have been seen */
  bool is_over;       /* a phase that is run again, as trials do, is not shown */
} portrait;

/* ---------------------------------------------------------------- rates */

static mho_err find_rates(portrait *p, mho_errinfo *ei) {
  mho_trainer *t = p->t;
  const mho_images *images = &t->data.test;
  p->images = mho_min(images->n, IMAGES);

  for (int first = 0; first < p->images; first += t->learner->capacity) {
    int n = mho_min(p->images - first, t->learner->capacity);
    mho_rule_stats unused;
    mho_err err = mho__trainer_settle(t, images, first, n, false, &unused, ei);
    if (err)
      return err;
    for (int l = 1; l < mho_hidden_end(t->net); l++)
      for (int i = 0; i < n * t->net->layer[l].n; i++)
        p->rate[l][i % t->net->layer[l].n] += (double)t->learner->state[0]->z[l][i] / p->images;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- a sample */

static void print_spikes(portrait *p, const mho_trace_point *point) {
  for (int l = 0; l < mho_hidden_end(p->t->net); l++) {
    const mho_real *spike = mho_vars_real(point->vars, p->spike, l, 0);
    for (int i = 0; i < p->t->net->layer[l].n; i++)
      if (spike[i] > 0 && p->spikes < SPIKES_MAX)
        fprintf(p->out, "%s[%.7g,%d,%d]", p->spikes++ ? "," : "", point->time, l, i);
  }
}

static void take_point(void *user, const mho_trace_point *point) {
  portrait *p = user;
  p->step = point->step;
  print_spikes(p, point);
  for (int l = 1; l < mho_hidden_end(p->t->net); l++) {
    const double *theta = mho_vars_exact(point->vars, p->theta, l, 0);
    for (int i = 0; i < p->t->net->layer[l].n; i++)
      p->threshold[l][i] = theta[i];
  }
}

static mho_err show_sample(portrait *p, mho_errinfo *ei) {
  mho_watched w = {.label = -1};
  fputs("{\"spike\":[", p->out);
  mho_err err = mho__trainer_watch(p->t, &p->t->data.test, 0, false, take_point, p, &w, ei);
  fprintf(p->out, "],\"sample\":0,\"seconds\":%.7g,\"images\":%d,\"inputs\":%d",
          p->clock.dt > 0 ? p->step * p->clock.dt : p->clock.seconds, p->images,
          p->t->net->layer[0].n);
  if (w.label >= 0)
    fprintf(p->out, ",\"label\":%d", w.label);
  return err;
}

/* ---------------------------------------------------------------- layers */

static void print_numbers(FILE *out, const char *name, int n, const double *v, double factor) {
  fprintf(out, ",\"%s\":[", name);
  for (int i = 0; i < n; i++)
    fprintf(out, "%s%.7g", i ? "," : "", factor * v[i]);
  fputc(']', out);
}

static void print_votes(const portrait *p, int n) {
  const double *label = mho__votes_labels(p->t->learner->state_vars);
  fputs(",\"vote\":[", p->out);
  for (int i = 0; i < n; i++)
    if (label[i] > 0)
      fprintf(p->out, "%s%d", i ? "," : "", (int)label[i] - 1);
    else
      fprintf(p->out, "%snull", i ? "," : "");
  fputc(']', p->out);
}

static void print_layers(const portrait *p) {
  const mho_network *net = p->t->net;
  bool votes = net->output == MHO_OUTPUT_VOTES;
  fputs(",\"layer\":[", p->out);
  for (int l = 1; l < mho_hidden_end(net); l++) {
    int n = net->layer[l].n;
    fprintf(p->out, "%s{\"name\":\"%s\"", l > 1 ? "," : "", net->layer[l].name);
    print_numbers(p->out, "rate", n, p->rate[l], 1 / p->clock.unit);
    print_numbers(p->out, "threshold", n, p->threshold[l], 1);
    if (votes && l == mho__votes_layer(net))
      print_votes(p, n);
    fputc('}', p->out);
  }
  fputc(']', p->out);
}

/* ---------------------------------------------------------------- receptive fields */

/* What leads from images into the first hidden layer, cell by cell; NULL where nothing does. */
static const mho_crossbar *fields_of(const mho_trainer *t) {
  const mho_dataset *d = &t->data;
  bool has_images =
      d->width > 0 && d->height > 0 && (d->train.pixel || (d->train.first && d->height > 1));
  for (int c = 0; has_images && c < t->net->n_trained; c++) {
    const mho_connection *k = &t->net->connection[c];
    bool is_first = k->from == 0 && k->to == 1 && k->role == MHO_FORWARD;
    if (is_first && k->xb->rows >= d->features && k->xb->cols == t->net->layer[1].n)
      return k->xb;
  }
  return NULL;
}

static void print_fields(const portrait *p) {
  const mho_dataset *d = &p->t->data;
  const mho_crossbar *x = fields_of(p->t);
  int n = x ? mho_min(x->cols, FIELDS_MAX) : 0;
  const mho_real *w = x ? mho_crossbar_matrix(x) : NULL;
  double low = 0, high = 0;
  if (!x)
    return;

  for (int i = 0; i < d->features; i++)
    for (int j = 0; j < n; j++) {
      low = fmin(low, (double)w[i * x->cols + j]);
      high = fmax(high, (double)w[i * x->cols + j]);
    }
  if (low < 0) { /* gray is a weight of 0 */
    high = fmax(high, -low);
    low = -high;
  }
  if (high == low)
    high = 1;

  fprintf(p->out,
          ",\"field\":{\"width\":%d,\"height\":%d,\"channels\":%d,\"low\":%.7g,\"high\":%.7g,"
          "\"pixels\":[",
          d->width, d->height, d->channels, low, high);
  for (int j = 0; j < n; j++) {
    fputs(j ? ",\"" : "\"", p->out);
    for (int i = 0; i < d->features; i++)
      fprintf(p->out, "%02x",
              (unsigned)rint(255 * ((double)w[i * x->cols + j] - low) / (high - low)));
    fputc('"', p->out);
  }
  fputs("]}", p->out);
}

/* ---------------------------------------------------------------- the whole */

static void numbers_free(int n, double **v) {
  for (int l = 0; v && l < n; l++)
    mho_free(v[l]);
  mho_free(v);
}

/* A number for every neuron of the hidden layers; NULL without memory. */
static double **numbers_new(const mho_network *net) {
  double **v = mho_alloc((size_t)net->n_layers, sizeof *v);
  for (int l = 1; v && l < mho_hidden_end(net); l++) {
    v[l] = mho_alloc((size_t)net->layer[l].n, sizeof **v);
    if (!v[l]) {
      numbers_free(net->n_layers, v);
      return NULL;
    }
  }
  return v;
}

static mho_err print_all(portrait *p, mho_errinfo *ei) {
  mho_err err = find_rates(p, ei);
  if (!err)
    err = show_sample(p, ei);
  if (err)
    return err;

  print_layers(p);
  print_fields(p);
  fputs("}\n", p->out);
  return MHO_OK;
}

mho_err mho__spike_portrait_store(mho_trainer *t, mho_store *s, const char *run_id,
                                  mho_errinfo *ei) {
  const mho_vars *v = t->learner->state_vars;
  char *text = NULL;
  size_t n = 0;
  portrait p = {.t = t, .theta = -1, .spike = -1};
  if (t->net->spiking && v) {
    p.theta = mho_vars_find(v, "theta");
    p.spike = mho_vars_find(v, "spike");
  }
  if (p.theta < 0 || p.spike < 0 || !mho__timing_of(t->e, &p.clock))
    return MHO_OK;

  p.rate = numbers_new(t->net);
  p.threshold = numbers_new(t->net);
  p.out = open_memstream(&text, &n);
  mho_err err = MHO_OK;
  bool is_whole = p.rate && p.threshold && p.out;
  if (is_whole)
    err = print_all(&p, ei);
  if (p.out) {
    is_whole = is_whole && !ferror(p.out);
    is_whole = !fclose(p.out) && is_whole;
  }
  if (!is_whole && !err)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the spikes of a run");
  if (!err)
    err = mho_store_artifact(s, run_id, "spikes", "test", text, n, ei);

  numbers_free(t->net->n_layers, p.rate);
  numbers_free(t->net->n_layers, p.threshold);
  free(text);
  return err;
}
