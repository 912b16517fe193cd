/* idx.c - IDX files, packed or not.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "data/idx.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mho_errinfo ei = {0};
  check_error(mho__idx_check(file_of(data, size), "fuzz", "get another", &ei), &ei);
  return 0;
}
