/* Factors of neurons that propagate, in double precision, against backpropagation written out: a
 * linear chain, and a net whose layers feed further ones.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment.h"
#include "mho/model/check.h"

_Static_assert(sizeof(mho_real) == 8,
               "this test tells rounding from error: it needs the double build");

enum { SAMPLES = 7, WIDE = 64, LAYERS = 8 };

/* Factors of layer l: 2 |w| summed over what leads into a neuron, over the largest such sum, but 1
 * at least. */
static void find_factors(const mho_network *net, int l, double *m) {
  int n = net->layer[l].n;
  double most = 0;
  memset(m, 0, (size_t)n * sizeof *m);
  for (int c = 0; c < net->n_trained; c++) {
    const mho_connection *k = &net->connection[c];
    const mho_real *w = mho_crossbar_matrix(k->xb);
    for (int i = 0; k->to == l && i < k->xb->rows; i++)
      for (int j = 0; j < n; j++)
        m[j] += fabs(w[i * n + j]);
  }
  for (int j = 0; j < n; j++)
    most = fmax(most, m[j]);
  for (int j = 0; j < n; j++)
    m[j] = fmax(2 * m[j] / most, 1);
}

/* States and errors of one sample in layers 0 .. out. */
typedef struct sample {
  double z[LAYERS][WIDE], error[LAYERS][WIDE];
} sample;

/* v += x W, or x W^T. */
static void multiply(const mho_connection *k, bool transposed, const double *x, double *v) {
  const mho_real *w = mho_crossbar_matrix(k->xb);
  for (int i = 0; i < k->xb->rows; i++)
    for (int j = 0; j < k->xb->cols; j++) {
      double wij = k->sign * w[i * k->xb->cols + j];
      if (transposed)
        v[i] += x[j] * wij;
      else
        v[j] += x[i] * wij;
    }
}

static void propagate(const mho_network *net, int label, sample *s) {
  int out = mho_network_output(net), classes = net->layer[out].n;
  double sum = 0;
  memset(s->error, 0, sizeof s->error);
  memset(s->z[1], 0, sizeof s->z - sizeof s->z[0]);

  for (int l = 1; l <= out; l++)
    for (int c = 0; c < net->n_trained; c++)
      if (net->connection[c].to == l)
        multiply(&net->connection[c], false, s->z[net->connection[c].from], s->z[l]);
  for (int j = 0; j < classes; j++)
    sum += exp(s->z[out][j]);
  for (int j = 0; j < classes; j++)
    s->error[out][j] = exp(s->z[out][j]) / sum - (j == label);

  for (int l = out - 1; l >= 1; l--) {
    double m[WIDE];
    find_factors(net, l, m);
    for (int c = 0; c < net->n_trained; c++)
      if (net->connection[c].from == l)
        multiply(&net->connection[c], true, s->error[net->connection[c].to], s->error[l]);
    for (int j = 0; j < net->layer[l].n; j++)
      s->error[l][j] *= m[j];
  }
}

static void check_net(const char *yaml) {
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  const mho_dataset *data = mho_trainer_dataset(t);
  sample *s = calloc(SAMPLES, sizeof *s);
  mho_real x[SAMPLES * WIDE];
  uint8_t label[SAMPLES];

  mho_images_batch(data, &data->train, NULL, 0, SAMPLES, x, label);
  for (int i = 0; i < SAMPLES; i++) {
    for (int j = 0; j < WIDE; j++)
      s[i].z[0][j] = x[i * WIDE + j];
    propagate(net, label[i], &s[i]);
  }

  for (int c = 0; c < net->n_trained; c++) {
    const mho_connection *k = &net->connection[c];
    mho_real *g = malloc(mho_crossbar_cells(k->xb) * sizeof *g);
    OK(mho_trainer_gradient(t, 0, SAMPLES, c, g, &ei));
    for (int i = 0; i < k->xb->rows; i++)
      for (int j = 0; j < k->xb->cols; j++) {
        double sum = 0;
        for (int n = 0; n < SAMPLES; n++)
          sum += k->sign * s[n].z[k->from][i] * s[n].error[k->to][j] / SAMPLES;
        NEAR(g[i * k->xb->cols + j], sum, 1e-10, 1e-14);
      }
    free(g);
  }
  free(s);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

#define RULE "rule: {name: bp, importance: propagate}\nnetwork: {neuron: linear, init: he, "

static void test_chain(void **state) {
  check_net(RULE "hidden: [12, 10, 9, 8]}\n");
}

static void test_further_links(void **state) {
  check_net(RULE "topology: residual, hidden: [9, 9, 9, 9]}\n");
  check_net(RULE "topology: agt, link_probability: 0.6, hidden: [9, 8, 7, 6]}\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_chain),
      cmocka_unit_test(test_further_links),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
