/* Sums of outer products against plain loops: terms with and without what both sides do, of units
 * and of lines, in slabs of rows, on dense connections with biases and on convolutions.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment.h"
#include "mho/model/check.h"

enum { SAMPLES = 6, CASES = 40 };

static uint64_t drawn;
static double uniform(void) {
  float u;
  mho_rng_uniform(mho_rng_make(5, MHO_RNG_TEST, 0), 0, drawn++, 1, &u);
  return 2 * (double)u - 1;
}

static mho_real *draw(size_t n) {
  mho_real *v = malloc(n * sizeof *v);
  for (size_t i = 0; i < n; i++)
    v[i] = (mho_real)uniform();
  return v;
}

static mho_real *ones(size_t n) {
  mho_real *v = malloc(n * sizeof *v);
  for (size_t i = 0; i < n; i++)
    v[i] = 1;
  return v;
}

/* sum += scale pre^T post of dense lines or units, the last row the bias unless of lines, and 0 for
 * an unbiased term. */
static void add_plainly(const mho_connection *k, const mho_outer *t, double *sum) {
  int rows = k->xb->rows, cols = k->xb->cols, inputs = t->lines ? rows : rows - k->bias;
  for (int s = 0; s < t->n; s++)
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < cols; j++) {
        double x = i < inputs && t->pre ? (double)t->pre[s * inputs + i] : 1;
        if (i >= inputs && t->unbiased)
          x = 0;
        double e = t->post ? (double)t->post[s * cols + j] : 1;
        sum[i * cols + j] += t->scale * x * e;
      }
}

static void sum_in_slabs(const mho_network *net, int c, const mho_change *change,
                         mho_change_part part, int step, mho_real *out) {
  const mho_crossbar *x = net->connection[c].xb;
  int cells = step * x->cols;
  mho_real *scratch = malloc(mho_change_scratch(net, step, cells) * sizeof *scratch);
  for (int row0 = 0; row0 < x->rows; row0 += step)
    mho_change_sum(net, c, change, part, row0, mho_min(step, x->rows - row0), out + row0 * x->cols,
                   scratch);
  free(scratch);
}

/* Random terms on a dense connection, plain ones and others, each part against the loops. */
static void check_terms(const mho_network *net, int c) {
  const mho_connection *k = &net->connection[c];
  size_t rows = (size_t)k->xb->rows, cols = (size_t)k->xb->cols, cells = rows * cols;
  mho_real *pre = draw(SAMPLES * rows), *post = draw(SAMPLES * cols);
  mho_real *out = malloc(cells * sizeof *out);
  double *want[2] = {calloc(cells, sizeof **want), calloc(cells, sizeof **want)};
  mho_change change = {0};

  for (int i = 0; i < MHO_TERMS_MAX; i++) {
    mho_outer *t = mho_change_add(&change);
    *t = (mho_outer){.pre = uniform() > 0 ? pre : NULL,
                     .post = uniform() > 0 ? post : NULL,
                     .n = (int)((uniform() + 1) / 2 * SAMPLES),
                     .scale = uniform(),
                     .lines = uniform() > 0,
                     .plain = uniform() > 0,
                     .unbiased = uniform() > 0};
    add_plainly(k, t, want[t->plain]);
  }

  for (int part = 0; part < 2; part++) {
    sum_in_slabs(net, c, &change, part ? MHO_CHANGE_PLAIN : MHO_CHANGE_GRADIENT,
                 1 + (int)((uniform() + 1) / 2 * (double)rows), out);
    for (size_t i = 0; i < cells; i++)
      NEAR(out[i], want[part][i], 1e-4, 1e-4);
    free(want[part]);
  }
  free(pre);
  free(post);
  free(out);
}

static void test_dense(void **state) {
  mho_experiment *e = experiment("network: {hidden: [9, 5], biases: true}\n");
  mho_trainer *t = trainer(e);
  for (int i = 0; i < CASES; i++)
    check_terms(mho_trainer_network(t), i % 3);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* On patches: what stands for ones, against ones that are there. */
static void test_patches(void **state) {
  mho_experiment *e =
      experiment("network: {topology: conv, conv: 4x3 pool2 6x2 16, biases: true}\n");
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);

  for (int c = 0; c < 2; c++) {
    const mho_connection *k = &net->connection[c];
    size_t in = (size_t)net->layer[k->from].outputs, units = (size_t)net->layer[k->to].n;
    size_t cells = mho_crossbar_cells(k->xb);
    mho_real *x = draw(SAMPLES * in), *v = draw(SAMPLES * units);
    mho_real *all_x = ones(SAMPLES * in), *all_v = ones(SAMPLES * units);
    mho_real *out = malloc(cells * sizeof *out), *want = malloc(cells * sizeof *want);

    for (int given = 0; given < 4; given++) {
      mho_change some = {.n = 1}, full = {.n = 1};
      some.term[0] = (mho_outer){
          .pre = given & 1 ? x : NULL, .post = given & 2 ? v : NULL, .n = SAMPLES, .scale = 0.5};
      full.term[0] = (mho_outer){
          .pre = given & 1 ? x : all_x, .post = given & 2 ? v : all_v, .n = SAMPLES, .scale = 0.5};
      sum_in_slabs(net, c, &some, MHO_CHANGE_GRADIENT, 7, out);
      sum_in_slabs(net, c, &full, MHO_CHANGE_GRADIENT, k->xb->rows, want);
      for (size_t i = 0; i < cells; i++)
        NEAR(out[i], want[i], 1e-4, 1e-3);
    }
    free(x);
    free(v);
    free(all_x);
    free(all_v);
    free(out);
    free(want);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Ones in front are on the lines of the border, too: every row is the sum of what is behind. */
static void test_border(void **state) {
  mho_experiment *e = experiment("network: {topology: conv, conv: 4x3p1 6x3s2p1, biases: true}\n");
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);

  for (int c = 0; c < 2; c++) {
    const mho_connection *k = &net->connection[c];
    int units = net->layer[k->to].n, cols = k->xb->cols;
    mho_real *v = draw((size_t)(SAMPLES * units));
    mho_real *out = malloc(mho_crossbar_cells(k->xb) * sizeof *out);
    mho_change change = {.n = 1, .term = {{.post = v, .n = SAMPLES, .scale = 0.5}}};
    sum_in_slabs(net, c, &change, MHO_CHANGE_GRADIENT, 7, out);
    for (int j = 0; j < cols; j++) {
      double want = 0;
      for (int i = j; i < SAMPLES * units; i += cols)
        want += 0.5 * (double)v[i];
      for (int i = 0; i < k->xb->rows; i++)
        NEAR(out[i * cols + j], want, 1e-4, 1e-3);
    }
    free(v);
    free(out);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Nothing wanted is 0, and a dense part is added to the terms, to the gradient alone. */
static void add_sevens(const void *of, int c, int row0, int rows, mho_real *out) {
  for (int i = 0; i < rows * 5; i++)
    out[i] += (mho_real)(7 * (row0 + i / 5));
}

static void test_dense_part(void **state) {
  mho_experiment *e = experiment("network: {hidden: [9, 5]}\n");
  mho_trainer *t = trainer(e);
  mho_real out[45];
  mho_change change = {.n = 1, .term = {{.n = 1, .scale = 2}}, .dense = add_sevens};

  sum_in_slabs(mho_trainer_network(t), 1, &change, MHO_CHANGE_GRADIENT, 4, out);
  for (int i = 0; i < 45; i++)
    NEAR(out[i], 2 + 7 * (i / 5), 0, 0);
  sum_in_slabs(mho_trainer_network(t), 1, &change, MHO_CHANGE_PLAIN, 4, out);
  for (int i = 0; i < 45; i++)
    NEAR(out[i], 0, 0, 0);

  mho_trainer_free(t);
  mho_experiment_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dense),
      cmocka_unit_test(test_patches),
      cmocka_unit_test(test_border),
      cmocka_unit_test(test_dense_part),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
