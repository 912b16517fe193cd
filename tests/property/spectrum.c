/* Eigenvalues, and the spectral radius of networks: closed forms, and the dense matrix.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "mho/model/check.h"
#include "mho/model/num.h"
#include "subject.h"

/* ---------------------------------------------------------------- eigenvalues */

static double largest(int n, double *a) {
  double *re = malloc(2 * (size_t)n * sizeof *re), radius = 0;
  OK(mho_eigen_dense(n, a, re, re + n, &ei));
  for (int i = 0; i < n; i++)
    radius = fmax(radius, hypot(re[i], re[n + i]));
  free(re);
  return radius;
}

static void test_dense_eigenvalues(void **state) {
  double rotation[] = {3 * cos(0.7), -3 * sin(0.7), 3 * sin(0.7), 3 * cos(0.7)}, re[7], im[7];
  OK(mho_eigen_dense(2, rotation, re, im, &ei));
  NEAR(re[0], 3 * cos(0.7), 1e-14, 0);
  NEAR(fabs(im[0]), 3 * sin(0.7), 1e-14, 0);
  NEAR(im[1], -im[0], 1e-14, 0);
  double shift[49] = {0}; /* the 7th roots of 128 */
  for (int i = 0; i < 7; i++)
    shift[i * 7 + (i + 1) % 7] = 2;
  OK(mho_eigen_dense(7, shift, re, im, &ei));
  for (int i = 0; i < 7; i++)
    NEAR(hypot(re[i], im[i]), 2, 1e-13, 0);
  double triangle[9] = {1, 50, -7, 0, -4, 90, 0, 0, 2};
  NEAR(largest(3, triangle), 4, 1e-14, 0);
}

/* An operator of n states: a rotation by `angle` and stretch by `top` of the first two, all
 * others shrunk. */
typedef struct turn {
  int n;
  double top, angle;
} turn;
static void apply_operator(const void *user, const double *x, double *y) {
  const turn *o = user;
  double c = o->top * cos(o->angle), s = o->top * sin(o->angle);
  y[0] = c * x[0] - s * x[1];
  y[1] = s * x[0] + c * x[1];
  for (int i = 2; i < o->n; i++)
    y[i] = x[i] * (i - o->n / 2) / o->n;
}
static void apply_laplacian(const void *user, const double *x, double *y) {
  int n = *(const int *)user;
  for (int i = 0; i < n; i++)
    y[i] = 2 * x[i] - (i > 0 ? x[i - 1] : 0) - (i < n - 1 ? x[i + 1] : 0);
}
static void apply_nothing(const void *user, const double *x, double *y) {
  int n = *(const int *)user;
  memset(y, 0, (size_t)n * sizeof *y);
}

static void test_large_eigenvalues(void **state) {
  double radius, residual;
  static const int sizes[] = {2, 3, 30, 500, 3000};
  for (int i = 0; i < MHO_COUNT(sizes); i++) {
    const turn o = {sizes[i], 0.75, 1.1};
    OK(mho_eigen_radius(o.n, apply_operator, &o, &radius, &residual, &ei));
    NEAR(radius, 0.75, 1e-7, 0);
    assert_true(residual <= 1e-8 * radius);
    OK(mho_eigen_radius(o.n, apply_nothing, &sizes[i], &radius, NULL, &ei));
    NEAR(radius, 0, 0, 0);
  }
  for (int n = 100; n <= 2500; n *= 5) { /* 2500: the eigenvalues crowd at the edge */
    OK(mho_eigen_radius(n, apply_laplacian, &n, &radius, &residual, &ei));
    NEAR(radius, 2 + 2 * cos(acos(-1) / (n + 1)), n <= MHO_EIGEN_KRYLOV ? 1e-12 : 1e-4, 0);
  }
}

/* ---------------------------------------------------------------- spectral radius */

/* The same from the matrix itself, as it is. */
static double dense_radius(const subject *n) {
  const mho_network *net = n->net;
  int first[32], size = 0;
  for (int l = 1; l < mho_hidden_end(net); l++) {
    first[l] = size;
    size += net->layer[l].n;
  }
  double *m = calloc((size_t)size * (size_t)size, sizeof *m);
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    const mho_crossbar *x = net->connection[k->connection].xb;
    if (k->from == 0 || k->from == mho_network_output(net) || k->to == mho_network_output(net))
      continue;
    for (int r = 0; r < net->layer[k->from].n; r++)
      for (int c = 0; c < net->layer[k->to].n; c++)
        m[(first[k->from] + r) * size + first[k->to] + c] +=
            (double)k->scale *
            (double)mho__crossbar_programmed(x)[k->transposed ? c * x->cols + r : r * x->cols + c];
  }
  double radius = largest(size, m);
  free(m);
  return radius;
}

static void test_rank_one(void **state) {
  static const double u[] = {0.3, -1, 0.5}, v[] = {2, 0.1, -0.7, 0.4}, p[] = {-1, 0.2, 0.3, 0.9},
                      q[] = {0.8, 0.6, -2};
  subject n = net_new("network: {hidden: [3, 4], forward_scale: 0.5}\nfeedback: {scale: 0.02}\n");
  outer_product(crossbar(&n, 1, 2), u, v);
  NEAR(radius_of(&n), sqrt(0.5 * 0.02 * dot(3, u, u) * dot(4, v, v)), 1e-6, 0);
  net_free(&n);
  n = net_new("network: {hidden: [3, 4]}\nfeedback: {mode: asymmetric, scale: 0.02}\n");
  outer_product(crossbar(&n, 1, 2), u, v);
  outer_product(crossbar(&n, 2, 1), p, q);
  NEAR(radius_of(&n), sqrt(0.02 * fabs(dot(3, q, u) * dot(4, v, p))), 1e-6, 0);
  mho__crossbar_programmed(crossbar(&n, 1, 2))[5] = NAN;
  double radius;
  assert_int_equal(mho_observe_spectral_radius(n.net, &radius, NULL, &ei), MHO_EDIVERGED);
  net_free(&n);
}

static void test_no_loop(void **state) {
  static const char *nets[] = {
      "network: {hidden: [20]}\n",
      "network: {topology: graph, hidden: [9, 8, 7], links: [x>1, 1>2, 2>3, 1>3, 3-out]}\n",
      "network: {hidden: [30, 30, 30, 30]}\nfeedback: {scale: 0}\n",
      "network: {hidden: [30, 30, 30, 30], forward_scale: 0}\nfeedback: {mode: asymmetric, scale: "
      "1}\n",
  };
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    subject n = net_new(nets[i]);
    NEAR(radius_of(&n), 0, 0, 0);
    net_free(&n);
  }
}

/* Unit matrices between L layers: eigenvalues 2 sqrt(alpha beta_i) cos(k pi/(L + 1)), however
 * weak the feedback, which makes M itself all but nilpotent. 10 layers of 65 are beyond the
 * dense matrix. */
static void test_unit_chain(void **state) {
  for (int width = 5; width <= 65; width += 30)
    for (double beta = 1e-6; beta < 2; beta *= 100) {
      char yaml[256], hidden[64] = "";
      for (int l = 0; l < 10; l++)
        mho_text_append(hidden, sizeof hidden, "%s%d", l ? ", " : "", width);
      snprintf(yaml, sizeof yaml,
               "network: {hidden: [%s], forward_scale: 0.7}\nfeedback: {scale: %g}\n", hidden,
               beta);
      subject n = net_new(yaml);
      for (int l = 1; l < 10; l++) {
        mho_crossbar *x = crossbar(&n, l, l + 1);
        for (int i = 0; i < width * width; i++)
          mho__crossbar_programmed(x)[i] = (mho_real)(i % (width + 1) == 0);
      }
      NEAR(radius_of(&n), 2 * sqrt(0.7 * beta) * cos(acos(-1) / 11), 1e-6, 0);
      net_free(&n);
    }
}

/* Random nets against the dense matrix: those within and those beyond what is taken densely. */
static void test_random_nets(void **state) {
  static const struct {
    const char *yaml;
    double tolerance;
  } nets[] = {
      {"network: {hidden: [40, 30, 20]}\nfeedback: {mode: asymmetric, scale: 0.3}\n", 1e-9},
      {"network: {topology: residual, hidden: [20, 20, 20, 20, 20, 20, 20]}\nfeedback: {scale: "
       "0.1}\n",
       1e-9},
      {"network: {topology: agt, link_probability: 0.5, hidden: [20, 20, 20, 20, 20]}\n"
       "feedback: {mode: asymmetric, scale: 0.5}\n",
       1e-9},
      {"network: {hidden: [150, 160, 150]}\nfeedback: {scale: 0.1}\n", 1e-8},
      {"network: {topology: residual, hidden: [60, 60, 60, 60, 60, 60, 60]}\nfeedback: {scale: "
       "0.1}\n",
       1e-8},
      {"network: {hidden: [150, 160, 150]}\nfeedback: {mode: asymmetric, scale: 0.1}\n", 1e-8},
  };
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    subject n = net_new(nets[i].yaml);
    double radius, residual, dense = dense_radius(&n);
    OK(mho_observe_spectral_radius(n.net, &radius, &residual, &ei));
    print_message("  %.60s...: %.9f, dense %.9f, residual %.2g\n", nets[i].yaml, radius, dense,
                  residual);
    NEAR(radius, dense, nets[i].tolerance, 0);
    net_free(&n);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dense_eigenvalues), cmocka_unit_test(test_large_eigenvalues),
      cmocka_unit_test(test_rank_one),          cmocka_unit_test(test_no_loop),
      cmocka_unit_test(test_unit_chain),        cmocka_unit_test(test_random_nets),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
