/* exact.c - conductances set as wanted within bounds: the floating-point reference.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/program.h"

static void apply(const mho_program_job *job, mho_pulse_counts *counts) {
  counts->clipped += mho_crossbar_add(job->xb, job->first, job->n, job->dw, job->update);
}

const mho_scheme mho_scheme_exact = {
    .entry = {.abi = MHO_ABI,
              .id = "exact",
              .title = "conductances set as wanted",
              .equation = "W += dW"},
    .apply = apply,
};
