/* matrix.c - matrices as text.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mho_errinfo ei = {0};
  mho_matrix m;
  char *text = text_of(data, size);

  mho_err err = mho_matrix_parse(text, size, "fuzz", &m, &ei);
  check_error(err, &ei);
  must(err ? !m.v : m.rows > 0 && m.cols > 0, "a matrix without numbers");
  for (size_t i = 0; i < (size_t)m.rows * (size_t)m.cols; i++)
    must(isfinite(m.v[i]), "a number that is not finite");
  mho_matrix_free(&m);
  free(text);
  return 0;
}
