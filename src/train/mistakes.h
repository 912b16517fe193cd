/* mistakes.h - test images that a network takes for others.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_MISTAKES_H
#define MHO_TRAIN_MISTAKES_H

#include "mho/data.h"
#include "mho/store.h"

enum { MHO_MISTAKES_KEPT = 16 };

/** What an evaluation of the test images found wrong. */
typedef struct mho_mistakes {
  int images; /**< looked at; 0: none yet */
  int wrong;
  struct {
    int sample, answer;
  } first[MHO_MISTAKES_KEPT]; /**< [the smaller of it and wrong] */
} mho_mistakes;

/** Look at images first .. first + n - 1 of the test, where targets are classes; those of first 0
 *  begin anew.
 *  @param y  what the read-out answers, [n x classes]. */
void mho__mistakes_note(mho_mistakes *m, const mho_dataset *d, int first, int n, const mho_real *y);
/** Keep them with their run, as an artifact of kind "mistakes": a line "images wrong width height
 *  channels", then for each of the first "sample label answer pixels", the pixels in hexadecimal,
 *  channel after channel, ff for the input 1. Nothing without images of pixels.
 *  @return MHO_OK; MHO_ENOMEM; errors of the store. */
mho_err mho__mistakes_store(const mho_mistakes *m, const mho_dataset *d, mho_store *s,
                            const char *run_id, mho_errinfo *ei);

#endif
