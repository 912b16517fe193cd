/* real_text.c - real numbers as decimals.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/real_text.h"

#include <stdio.h>
#include <stdlib.h>

const char *mho__real_text(double v, char text[MHO_REAL_TEXT]) {
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, MHO_REAL_TEXT, "%.*g", digits, v);
    if (strtod(text, NULL) == v)
      break;
  }
  return text;
}
