/* cosim_control.c - a network under a controller in ngspice, against what the core has come to.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mho/model/circuit.h"
#include "mho/model/num.h"
#include "mho/spice.h"
#include "spice/cosim_layers.h"

/* A comparison under way. What ngspice comes to lies as the core's. */
typedef struct bench {
  const mho_cosim_control_options *o;
  double **z, **error; /* [n_layers] of [samples x n] */
  double *u;           /* [samples x classes] */
  double seconds;
  mho_cosim_result result;
  void *user;
} bench;

static int last_of(const bench *b) {
  return mho_network_output(b->o->net);
}

/* Values of a layer over all samples. */
static size_t size_of(const bench *b, int l) {
  return (size_t)b->o->samples * (size_t)b->o->net->layer[l].n;
}

/* ---------------------------------------------------------------- memory */

/* ---------------------------------------------------------------- ngspice */

/* V of a node of a layer, over a unit. */
static mho_err read_node(mho_spice *s, char letter, const char *layer, int j, double unit,
                         double *out, mho_errinfo *ei) {
  char name[48];
  snprintf(name, sizeof name, "v(%c_%s_%d)", letter, layer, j);
  mho_err err = mho_spice_last(s, name, out, ei);
  *out /= unit;
  if (!err && !isfinite(*out))
    return mho_fail(ei, MHO_ESPICE, "ngspice found %g at %s", *out, name);
  return err;
}

/* The activity of neuron j of a layer, and what it learns from. */
static mho_err read_neuron(const bench *b, mho_spice *s, int l, int j, double *z, double *error,
                           mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  const char *name = net->layer[l].name;
  double unit = net->array.read_voltage, own = 0, under = 0;
  bool potentials = b->o->potentials;

  mho_err err = read_node(s, 'z', name, j, unit, z, ei);
  if (!err)
    err = read_node(s, potentials ? 'a' : 'y', name, j, unit, &own, ei);
  if (!err)
    err = read_node(s, potentials ? 'u' : 'z', name, j, unit, &under, ei);
  *error = own - under;
  return err;
}

/* The summed input of a unit of the read-out, and its control. */
static mho_err read_output(const bench *b, mho_spice *s, int k, double *v, double *u,
                           mho_errinfo *ei) {
  char name[32];
  snprintf(name, sizeof name, "v(w_%d)", k);
  mho_err err = read_node(s, 'u', "out", k, b->o->net->array.read_voltage, v, ei);
  return err ? err : mho_spice_last(s, name, u, ei);
}

static mho_err read_sample(bench *b, mho_spice *s, int sample, mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  int last = last_of(b);

  for (int l = 1; l <= last; l++)
    for (int j = 0; j < net->layer[l].n; j++) {
      size_t at = (size_t)sample * (size_t)net->layer[l].n + (size_t)j;
      mho_err err = l < last ? read_neuron(b, s, l, j, &b->z[l][at], &b->error[l][at], ei)
                             : read_output(b, s, j, &b->z[l][at], &b->u[at], ei);
      if (err)
        return err;
      if (l == last)
        b->error[l][at] = -b->u[at];
    }
  return MHO_OK;
}

/* The numbers of one sample, where there are any. */
static const double *of_sample(const bench *b, const double *all, int sample) {
  return all ? all + sample * mho_network_classes(b->o->net) : NULL;
}

/* One sample without control and then under it. x: room for its inputs. */
static mho_err settle_sample(bench *b, mho_spice *s, int sample, double *x, mho_errinfo *ei) {
  const mho_cosim_control_options *o = b->o;
  int features = o->net->layer[0].n;
  mho_netlist_controller c = o->controller;
  char *text;
  c.reach = of_sample(b, c.reach, sample);
  c.label = of_sample(b, c.label, sample);
  for (int i = 0; i < features; i++)
    x[i] = (double)o->x[(size_t)sample * (size_t)features + (size_t)i];

  mho_netlist_network netlist = {.net = o->net, .device = o->device, .x = x, .controller = &c};
  mho_err err = mho_netlist_network_write(&netlist, &text, ei);
  if (err)
    return err;
  err = mho_spice_load(s, text, ei);
  mho_free(text);

  double start = mho_seconds();
  if (!err)
    err = mho_spice_alter(s, "von", "dc", 1, ei);
  if (!err)
    err = mho_spice_run(s, "op", ei);
  b->seconds += mho_seconds() - start;
  return err ? err : read_sample(b, s, sample, ei);
}

static mho_err settle_samples(bench *b, mho_spice *s, mho_errinfo *ei) {
  double *x = mho_alloc((size_t)b->o->net->layer[0].n, sizeof *x);
  mho_err err = x ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for a sample");
  mho_spice_sources(s, NULL, NULL);

  for (int sample = 0; sample < b->o->samples; sample++) {
    if (err)
      break;
    err = settle_sample(b, s, sample, x, ei);
  }
  mho_free(x);
  return err;
}

/* ---------------------------------------------------------------- comparisons */

/* Single precision leaves some 1e-6 of an activity, which is more of a control or an error. */
static double tolerance_of(bool relative) {
  if (sizeof(mho_real) == 8)
    return 1e-6;
  return relative ? 1e-3 : 1e-5;
}

/* Compare n numbers. layer: whose they are, for the place of the worst; relative: over the
 * largest. */
static void report(bench *b, const char *quantity, const char *layer, int width, size_t n,
                   const double *core, const double *spice, bool relative) {
  char place[MHO_PLACE_MAX];
  double most = 0;
  mho_cosim_row row = {.what = "network",
                       .quantity = quantity,
                       .unit = "1",
                       .place = place,
                       .tolerance = tolerance_of(relative),
                       .core_s = NAN,
                       .spice_s = b->seconds};

  int worst = mho_cosim_compare((int)n, core, spice, 1, &row);
  for (size_t i = 0; i < n; i++)
    most = fmax(most, fabs(core[i]));
  row.max_rel = relative && most > 0 ? row.max_abs / most : row.max_abs;
  row.pass = row.max_rel <= row.tolerance;
  snprintf(place, sizeof place, "%s[%d][%d]", layer, worst / width, worst % width);
  b->result(b->user, &row, core, spice);
}

static void compare_states(bench *b) {
  const mho_cosim_control_options *o = b->o;
  int last = last_of(b), classes = mho_network_classes(o->net);

  for (int l = 1; l <= last; l++) {
    const mho_layer *layer = &o->net->layer[l];
    bool hidden = l < last;
    char quantity[80];
    snprintf(quantity, sizeof quantity, "%s of %s under control",
             hidden ? "activities" : "summed inputs", layer->name);
    report(b, quantity, layer->name, layer->n, size_of(b, l), o->controlled[l], b->z[l], !hidden);
    if (!hidden)
      continue;
    snprintf(quantity, sizeof quantity, "errors of %s", layer->name);
    report(b, quantity, layer->name, layer->n, size_of(b, l), o->error[l], b->error[l], true);
  }
  report(b, "controls, negative", "out", classes, size_of(b, last), o->error[last], b->error[last],
         true);
}

/* out = z_from^T error_to over the samples, [rows x cols]. */
static void weight_change(const bench *b, const mho_connection *k, const double *z,
                          const double *error, double *out) {
  int rows = k->xb->rows, cols = k->xb->cols;
  mho_gemm_double(true, false, rows, cols, b->o->samples, 1, z, rows, error, cols, 0, out, cols);
}

/* x: the inputs. */
static mho_err compare_change(bench *b, const mho_connection *k, const double *x, mho_errinfo *ei) {
  const mho_cosim_control_options *o = b->o;
  size_t n = mho_crossbar_cells(k->xb);
  double *core = mho_alloc(n, sizeof *core), *spice = mho_alloc(n, sizeof *spice);
  bool ok = core && spice;

  if (ok) {
    char quantity[80];
    snprintf(quantity, sizeof quantity, "weight change %s", k->name);
    weight_change(b, k, k->from ? o->controlled[k->from] : x, o->error[k->to], core);
    weight_change(b, k, k->from ? b->z[k->from] : x, b->error[k->to], spice);
    report(b, quantity, k->name, k->xb->cols, n, core, spice, true);
  }
  mho_free(core);
  mho_free(spice);
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for the change of %zu weights", n);
}

static mho_err compare_changes(bench *b, mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  double *x = mho_alloc(size_of(b, 0), sizeof *x);
  mho_err err = x ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for the inputs of samples");
  for (size_t i = 0; x && i < size_of(b, 0); i++)
    x[i] = (double)b->o->x[i];

  for (int c = 0; c < net->n_trained; c++) {
    if (err)
      break;
    if (net->connection[c].role == MHO_FORWARD)
      err = compare_change(b, &net->connection[c], x, ei);
  }
  mho_free(x);
  return err;
}

mho_err mho_cosim_control(mho_spice *s, const mho_cosim_control_options *o, mho_cosim_result result,
                          void *user, mho_errinfo *ei) {
  bench b = {.o = o, .result = result, .user = user};
  mho_err err = mho_netlist_control_check(o->net, ei);
  if (err)
    return err;

  b.z = mho__cosim_layers_new(b.o->net, b.o->samples);
  b.error = mho__cosim_layers_new(b.o->net, b.o->samples);
  b.u = mho_alloc(size_of(&b, last_of(&b)), sizeof *b.u);
  if (!b.z || !b.error || !b.u)
    err = mho_fail(ei, MHO_ENOMEM, "no memory to compare %d samples", o->samples);
  if (!err)
    err = settle_samples(&b, s, ei);
  if (!err)
    compare_states(&b);
  if (!err)
    err = compare_changes(&b, ei);

  mho__cosim_layers_free(b.o->net, b.z);
  mho__cosim_layers_free(b.o->net, b.error);
  mho_free(b.u);
  return err;
}
