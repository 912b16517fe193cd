/* waves.c - files of waveforms.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "experiment/overlap_curve.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mho_errinfo ei = {0};
  mho_overlap o = {0};
  mho_differences d;

  mho_err err = mho__waves_read(file_of(data, size), &o, &d, &ei);
  check_error(err, &ei);
  if (err)
    return 0;

  must(d.from < d.to && d.points >= 2, "differences without an order");
  for (int i = 0; i <= 20; i++) {
    double t = mho__wave_end(&o.row) * i / 20;
    must(fabs(mho__wave_volts(&o.row, t)) <= 100, "a waveform beyond its bounds");
  }
  return 0;
}
