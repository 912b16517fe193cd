/* csv.c - tables of measured pulses.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "fuzz.h"
#include "mho/model/device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mho_errinfo ei = {0};
  mho_pulse_data d;

  /* the first byte says how the table is laid out */
  static const mho_pulse_format formats[] = {{.unit = "uS"},
                                             {.unit = "kohm"},
                                             {.unit = "uA", .read_voltage = 0.1},
                                             {.unit = "uS", .up = "ltp* up*", .down = "ltd* down*"},
                                             {.g = "g* d?"}};
  if (!size)
    return 0;
  const mho_pulse_format *format = &formats[data[0] % MHO_COUNT(formats)];
  mho_err err = mho_pulse_data_read(file_of(data + 1, size - 1), format, &d, &ei);
  check_error(err, &ei);
  for (int i = 0; i < d.n; i++)
    must(d.pulse[i] >= 0 && d.count[i] >= -1 && (isnan(d.g[i]) || d.g[i] <= 1),
         "an impossible row");
  mho_pulse_data_free(&d);
  return 0;
}
