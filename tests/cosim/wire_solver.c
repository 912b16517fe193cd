/* Arrays with wire resistance in ngspice: currents and node voltages against the solver's.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/circuit.h"
#include "mho/spice.h"
#include "wires.h"

enum { SKIPPED = 77 };

static void against_ngspice(int rows, int cols, double r_word, double r_bit, double r_low,
                            double r_high, bool transposed) {
  mho_wire_options o = {
      .rows = rows, .cols = cols, .r_word = r_word, .r_bit = r_bit, .method = MHO_WIRE_ITERATIVE};
  size_t cells = (size_t)rows * (size_t)cols;
  int in = transposed ? cols : rows, out = transposed ? rows : cols;
  double *g = log_uniform(cells, 1, 1 / r_high, 1 / r_low, 0.05), *v = normal(2 * (size_t)in, 2);
  double *current = mho_alloc(2 * (size_t)out, sizeof *current);
  double *a = mho_alloc(2 * cells, sizeof *a), *b = mho_alloc(2 * cells, sizeof *b);
  mho_spice *s;
  OK(mho_spice_open(&s, &ei));
  mho_netlist_crossbar x = {.rows = rows,
                            .cols = cols,
                            .n_banks = 1,
                            .g = {g},
                            .transposed = transposed,
                            .r_word = r_word,
                            .r_bit = r_bit,
                            .save_nodes = true};
  OK(mho_spice_crossbar(s, &x, 2, v, current, a, b, &ei));
  mho_spice_close(s);
  solved mine = transposed ? solve(o, g, 2, NULL, v) : solve(o, g, 2, v, NULL);
  double most = largest(2 * (size_t)out, current), volts = largest(2 * (size_t)in, v);
  for (int k = 0; k < 2 * out; k++)
    NEAR(transposed ? -mine.i_word[k] : mine.i_bit[k], current[k], 0, 1e-9 * most);
  for (size_t k = 0; k < 2 * cells; k++) {
    NEAR(mine.node_word[k], a[k], 0, 1e-9 * volts);
    NEAR(mine.node_bit[k], b[k], 0, 1e-9 * volts);
  }

  solved_free(&mine);
  mho_free(g);
  mho_free(v);
  mho_free(current);
  mho_free(a);
  mho_free(b);
}

static void test_small(void **state) {
  against_ngspice(1, 1, 1, 2, 1e3, 1e4, false);
  against_ngspice(7, 12, 100, 10, 1e3, 1e7, false);
  against_ngspice(12, 7, 0.5, 3, 1e4, 1e6, true);
  against_ngspice(16, 16, 1, 1, 1e4, 1e6, false);
  against_ngspice(9, 9, 0, 5, 1e3, 1e5, false);
  against_ngspice(9, 9, 5, 0, 1e3, 1e5, true);
}

static void test_large(void **state) {
  if (!getenv("MHO_TEST_SLOW")) /* ngspice takes seconds to order the matrix */
    skip();
  against_ngspice(64, 64, 1, 1, 1e4, 1e6, false);
  against_ngspice(64, 48, 10, 2, 1e3, 1e7, true);
}

int main(void) {
  mho_spice *s;
  if (mho_spice_open(&s, &ei) == MHO_EUNSUPPORTED) {
    printf("skipped: %s\n", ei.message);
    return SKIPPED;
  }
  mho_spice_close(s);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_small), cmocka_unit_test(test_large)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
