/* test.h - what every C test includes: cmocka, and comparisons in double (cmocka's own are in
 * float).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_H
#define MHO_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* |a - b| <= atol + rtol |b|; NaN is never near anything */
#define NEAR(a, b, rtol, atol)                                                                     \
  do {                                                                                             \
    double near_a = (double)(a), near_b = (double)(b);                                             \
    if (!(fabs(near_a - near_b) <= (double)(atol) + (double)(rtol)*fabs(near_b)))                  \
      fail_msg("%s = %.17g, expected %s = %.17g", #a, near_a, #b, near_b);                         \
  } while (0)
/* an mho_err call that must succeed; needs an mho_errinfo named ei in scope */
#define OK(call)                                                                                   \
  do {                                                                                             \
    mho_err ok_err = (call);                                                                       \
    if (ok_err)                                                                                    \
      fail_msg("%s: %s: %s", #call, mho_err_text(ok_err), ei.message);                             \
  } while (0)

#endif
