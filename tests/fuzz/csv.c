/* csv.c - tables of measured pulses.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "fuzz.h"
#include "mho/device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mho_errinfo ei = {0};
  mho_pulse_data d;

  mho_err err = mho_pulse_data_read(file_of(data, size), 1e-6, &d, &ei);
  check_error(err, &ei);
  for (int i = 0; i < d.n; i++)
    must(d.pulse[i] >= 0 && d.count[i] >= 0 && (isnan(d.g[i]) || d.g[i] <= 1), "an impossible row");
  mho_pulse_data_free(&d);
  return 0;
}
