/* Whole networks in ngspice against the core in double precision: a session, and the rows that are
 * compared.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_NETWORK_ROWS_H
#define MHO_TEST_NETWORK_ROWS_H

#include "experiment.h"
#include "mho/spice.h"

enum { SKIPPED = 77 };
static mho_spice *spice;
static int rows;

/* A row passes, within 1e-6 at most; user: what the largest of its numbers is to exceed, a double.
 */
static void take_row(void *user, const mho_cosim_row *row, const double *core,
                     const double *found) {
  double most = 0;
  for (int64_t i = 0; i < row->n; i++)
    most = fmax(most, fabs(core[i]));
  if (getenv("MHO_TEST_SHOW"))
    print_message("%-36s n %5lld  max %.2e  rel %.2e  at %s, of %.3g\n", row->quantity,
                  (long long)row->n, row->max_abs, row->max_rel, row->place, most);

  assert_true(most > *(const double *)user);
  assert_true(row->tolerance <= 1e-6);
  if (!row->pass)
    fail_msg("%s: %g at %s", row->quantity, row->max_rel, row->place);
  rows++;
}

static int open_session(void **state) {
  return mho_spice_open(&spice, &ei) ? -1 : setup_registry(NULL);
}

static int close_session(void **state) {
  mho_spice_close(spice);
  return teardown_registry(NULL);
}

/* Whether there is an ngspice to compare with. */
static bool has_ngspice(void) {
  mho_spice *probe;
  if (mho_spice_open(&probe, &ei) == MHO_EUNSUPPORTED)
    return false;
  mho_spice_close(probe);
  return true;
}

#endif
