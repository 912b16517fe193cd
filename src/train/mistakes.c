/* mistakes.c - test images that a network takes for others: the first of them are kept with the
 * run, for its report.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/mistakes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The first of the largest values of v [n]. */
static int largest(int n, const mho_real *v) {
  int best = 0;
  for (int j = 1; j < n; j++)
    if (v[j] > v[best])
      best = j;
  return best;
}

void mho__mistakes_note(mho_mistakes *m, const mho_dataset *d, int first, int n,
                        const mho_real *y) {
  if (first == 0)
    *m = (mho_mistakes){0};
  if (d->values)
    return;

  for (int i = 0; i < n; i++) {
    int answer = largest(d->classes, y + (size_t)i * (size_t)d->classes);
    if (answer == d->test.label[first + i])
      continue;
    if (m->wrong < MHO_MISTAKES_KEPT) {
      m->first[m->wrong].sample = first + i;
      m->first[m->wrong].answer = answer;
    }
    m->wrong++;
  }
  m->images += n;
}

static void print_image(FILE *f, const mho_dataset *d, int sample, int answer) {
  const uint8_t *pixel = d->test.pixel + (size_t)sample * (size_t)d->features;
  fprintf(f, "%d %d %d ", sample, d->test.label[sample], answer);
  for (int i = 0; i < d->features; i++)
    fprintf(f, "%02x", (unsigned)fmin(rint(255 * d->scale * pixel[i]), 255));
  fputc('\n', f);
}

mho_err mho__mistakes_store(const mho_mistakes *m, const mho_dataset *d, mho_store *s,
                            const char *run_id, mho_errinfo *ei) {
  char *text = NULL;
  size_t n = 0;
  bool has_pictures = d->test.pixel && d->width > 0 && d->height > 0;
  if (!m->images || !has_pictures)
    return MHO_OK;

  FILE *f = open_memstream(&text, &n);
  if (!f)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the images that a run gets wrong");

  fprintf(f, "%d %d %d %d %d\n", m->images, m->wrong, d->width, d->height, d->channels);
  for (int i = 0; i < m->wrong && i < MHO_MISTAKES_KEPT; i++)
    print_image(f, d, m->first[i].sample, m->first[i].answer);
  bool is_whole = !ferror(f);
  mho_err err = MHO_OK;
  if (fclose(f) || !is_whole)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the images that a run gets wrong");
  if (!err)
    err = mho_store_artifact(s, run_id, "mistakes", "test", text, n, ei);

  free(text);
  return err;
}
