/* real_text.h - real numbers as decimals.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REAL_TEXT_H
#define MHO_REAL_TEXT_H

enum { MHO_REAL_TEXT = 32 }; /* characters that hold any */

/** The shortest decimal that reads back as v: exact, and .985 has no tail.
 *  @return text. */
const char *mho__real_text(double v, char text[MHO_REAL_TEXT]);

#endif
